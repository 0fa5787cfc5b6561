-- What organisations look up in the log over HTTP, and how their webhooks fare over time.

-- Events of an organisation, the newest first.
CREATE INDEX events_by_organisation ON events (mode, organisation, taken_at, event);

-- Nobody asks for an organisation without its mode, and test must not be read past to find live.
CREATE INDEX deliveries_by_mode_and_organisation ON deliveries (mode, organisation, begun_at, id);
DROP INDEX deliveries_by_organisation;

-- What did not go well is rare among what did, and asked for most. Since the state is part of it, a delivery whose state
-- changes touches every index: so do those alone that took more than one request.
CREATE INDEX deliveries_undelivered ON deliveries (webhook, begun_at, id) WHERE state <> 'delivered';

-- Where a request went (scheme, host and port; a path may be a credential) and as whom. Null in rows from before.
ALTER TABLE attempts ADD COLUMN user_agent text, ADD COLUMN origin text;

-- How a webhook fared in five minutes, counted as its requests are written, from this version on.
CREATE TABLE webhook_rates (
    webhook      text NOT NULL,
    -- Its beginning.
    slot         timestamptz NOT NULL,
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    -- Requests, and how many of them the endpoint took.
    made         bigint NOT NULL,
    taken        bigint NOT NULL,
    -- Requests by how long they took: as many as were within each of the program's bounds and over the one before, last
    -- those over all of them.
    latency      bigint[] NOT NULL CHECK (cardinality(latency) = 13),
    -- A webhook has one mode and one organisation. Records say so, too, and one that is wrong must not hold up the others.
    PRIMARY KEY (webhook, slot, mode, organisation)
-- Room for a row's next states: no index holds a column that changes.
) WITH (fillfactor = 70);

-- For retention.
CREATE INDEX webhook_rates_by_age ON webhook_rates (slot);
