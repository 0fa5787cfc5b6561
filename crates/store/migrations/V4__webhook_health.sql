-- Webhooks that fail for days are disabled by recorders, which therefore note how each webhook fares.

ALTER TABLE webhooks
    DROP CONSTRAINT webhooks_disabled_reason_check,
    ADD CONSTRAINT webhooks_disabled_reason_check CHECK (disabled_reason IN ('requested', 'gone', 'failing'));

-- Both moments only ever rise, so records may come late, repeated and in any order. They are kept to the minute: then a
-- webhook's row is written once a minute at most, however much is delivered to it. What else there is to know is looked
-- up in `deliveries` for the few webhooks that it matters for. No foreign key: a record may outlive its webhook, whose row
-- here recorders remove.
CREATE TABLE webhook_health (
    webhook         text PRIMARY KEY,
    -- By when everything that was delivered to it had been: the end of the newest one's minute.
    delivered_until timestamptz,
    -- When a delivery to it was exhausted most recently: the beginning of that minute.
    exhausted_at    timestamptz,
    -- When it was found to look as if it failed, and is to be looked at again.
    suspected_at    timestamptz
-- Room for a row's next states: no index holds a column that changes.
) WITH (fillfactor = 70);
