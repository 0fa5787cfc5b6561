-- A delivery whose webhook hangs or cannot be reached is `deferred`; `next_at` is also of those, and `since` when that began.
--
-- Whatever was written before is in one of the five states there were, so nothing has to be checked: a scan of the table
-- would keep everybody out of it meanwhile.
ALTER TABLE deliveries
    DROP CONSTRAINT deliveries_state_check,
    ADD CONSTRAINT deliveries_state_check
        CHECK (state IN ('pending', 'retrying', 'deferred', 'exhausted', 'cancelled', 'delivered')) NOT VALID;
