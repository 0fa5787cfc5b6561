-- What happened: events, requests, and where each delivery stands. Recorders write it from the queue `bellhop.log`, any
-- number of them, and any of it any number of times: what is there already stays as it is.
--
-- A primary key of a partitioned table must contain the partition key, so only what carries its own time can be both
-- unique and partitioned by time. A request does: its id is a version 7 UUID. An event does not, since a message that is
-- offered again makes another record with another `taken_at`, and a delivery's id is a hash. Hence:
--   * `attempts` and `answers` are partitioned by request id, which also makes them unique;
--   * `events` and `deliveries` are plain tables with narrow rows, unique by what they are called, and lose what is old
--     row by row;
--   * `payloads` are partitioned by the `taken_at` that `events` kept, and only the recorder that added the event adds
--     its payload.
-- What is large or health data thus lies in partitions alone, which are dropped whole: no dead row keeps a payload, and
-- nothing has to be vacuumed.
--
-- First by mode, so that live and test share no table and each mode has its own retention; then by day, in UTC. Recorders
-- make partitions ahead and drop them. There is no default partition: it would swallow what nobody ever looks at, and
-- would have to be scanned for each new partition. A row without a partition is refused; the recorder then makes the
-- partition, or leaves out what is too old to be kept. `ATTACH PARTITION` and `DETACH PARTITION … CONCURRENTLY` block
-- neither reads nor writes of the other partitions; `CREATE TABLE … PARTITION OF` and `DROP TABLE` of an attached
-- partition would.

CREATE TABLE events (
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    event        text NOT NULL,
    event_type   text NOT NULL,
    -- `data.id` as published, if it is a text that an id could be.
    appointment  text,
    occurred_at  timestamptz NOT NULL,
    -- When a worker first took it, as far as was known when the row was written. It says where the payload lies.
    taken_at     timestamptz NOT NULL,
    PRIMARY KEY (mode, organisation, event)
);

-- For "what happened to this appointment?".
CREATE INDEX events_by_appointment ON events (mode, organisation, appointment);

-- For retention.
CREATE INDEX events_by_age ON events (taken_at);

-- The events as published, each sealed for itself alone.
CREATE TABLE payloads (
    mode         text NOT NULL,
    organisation text NOT NULL,
    event        text NOT NULL,
    taken_at     timestamptz NOT NULL,
    sealed       bytea NOT NULL,
    PRIMARY KEY (mode, organisation, event, taken_at)
) PARTITION BY LIST (mode);

-- One row per request. What was sent follows from the payload and the columns from `expanded` on.
CREATE TABLE attempts (
    mode         text NOT NULL,
    request      uuid NOT NULL,
    delivery     text NOT NULL,
    organisation text NOT NULL,
    webhook      text NOT NULL,
    series       bigint NOT NULL,
    attempt      smallint NOT NULL CHECK (attempt BETWEEN 1 AND 3),
    started_at   timestamptz NOT NULL,
    -- Microseconds from the beginning: until connected, until the answer's head, until the end.
    connected_us bigint,
    head_us      bigint,
    whole_us     bigint NOT NULL,
    status       integer,
    outcome      text NOT NULL,
    verdict      text NOT NULL CHECK (verdict IN ('delivered', 'retry', 'exhausted', 'gone')),
    -- Of verdict `retry`: not before.
    next_at      timestamptz,
    -- The objects that were sent whole, separated by commas.
    expanded     text NOT NULL,
    -- The headers `webhook-timestamp` and `webhook-signature`.
    signed_at    bigint NOT NULL,
    signature    text NOT NULL,
    PRIMARY KEY (mode, request)
) PARTITION BY LIST (mode);

-- For the requests of one delivery.
CREATE INDEX attempts_by_delivery ON attempts (delivery, request);

-- What endpoints said beyond a status; it may repeat the payload, so it is sealed and expires like one.
CREATE TABLE answers (
    mode    text NOT NULL,
    request uuid NOT NULL,
    sealed  bytea NOT NULL,
    PRIMARY KEY (mode, request)
) PARTITION BY LIST (mode);

-- Sealed values do not get smaller by being compressed.
ALTER TABLE payloads ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE answers ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE TABLE payloads_live PARTITION OF payloads FOR VALUES IN ('live') PARTITION BY RANGE (taken_at);
CREATE TABLE payloads_test PARTITION OF payloads FOR VALUES IN ('test') PARTITION BY RANGE (taken_at);
CREATE TABLE attempts_live PARTITION OF attempts FOR VALUES IN ('live') PARTITION BY RANGE (request);
CREATE TABLE attempts_test PARTITION OF attempts FOR VALUES IN ('test') PARTITION BY RANGE (request);
CREATE TABLE answers_live PARTITION OF answers FOR VALUES IN ('live') PARTITION BY RANGE (request);
CREATE TABLE answers_test PARTITION OF answers FOR VALUES IN ('test') PARTITION BY RANGE (request);

-- Where each delivery stands. Records come in any order: a row changes only for a record of a higher rank, whose bytes
-- the program makes (`delivery_state.rs`), so that database and program agree on what is higher. Whoever compares them
-- compares bytes, which is what `bytea` does.
CREATE TABLE deliveries (
    id           text PRIMARY KEY,
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    event        text NOT NULL,
    event_type   text NOT NULL,
    webhook      text NOT NULL,
    -- The earliest moment that any record tells of; lists are in its order.
    begun_at     timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'retrying', 'exhausted', 'cancelled', 'delivered')),
    -- Why it ended: of `exhausted` and `cancelled`.
    reason       text CHECK (reason IN ('attempts_failed', 'webhook_inactive', 'endpoint_gone')),
    -- Of `retrying`: not before.
    next_at      timestamptz,
    since        timestamptz NOT NULL,
    series       bigint NOT NULL,
    -- The last one that was made; null when none was.
    attempt      smallint CHECK (attempt BETWEEN 1 AND 3),
    -- The request that led to this state; null when the record of an end did.
    request      uuid,
    status       integer,
    outcome      text NOT NULL,
    rank         bytea NOT NULL
-- Room on each page for a row's next states, so that no index is touched: none holds a column that changes.
) WITH (fillfactor = 80);

CREATE INDEX deliveries_by_age ON deliveries (begun_at, id);
CREATE INDEX deliveries_by_organisation ON deliveries (organisation, begun_at, id);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, begun_at, id);
CREATE INDEX deliveries_by_event ON deliveries (event);
