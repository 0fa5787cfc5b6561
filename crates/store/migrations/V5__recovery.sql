-- Owing again: series that somebody asked for, recoveries that ask for many, and events whose payload was expunged.

-- Each series after a delivery's first. A row is owed until the broker has the first attempt, which a recorder publishes;
-- so whoever asks needs nothing but this table, and no kill between asking and publishing loses anything. A delivery's
-- own row moves to the new series when the broker has it, not before.
CREATE TABLE series (
    delivery      text NOT NULL,
    -- Given out under the lock of the delivery's row: two who ask at once get no two series without being told.
    series        bigint NOT NULL CHECK (1 < series),
    mode          text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation  text NOT NULL,
    event         text NOT NULL,
    event_type    text NOT NULL,
    webhook       text NOT NULL,
    -- The recovery it belongs to; null when somebody asked for this one delivery.
    recovery      text,
    begun_by      text NOT NULL,
    begun_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- While it is owed at most one of these is set: never both.
    published_at  timestamptz,
    withdrawn_at  timestamptz,
    -- Of what was withdrawn: why nothing was published.
    withdrawn_for text CHECK (withdrawn_for IN ('payload_gone')),
    -- Until then a recorder is at it.
    leased_until  timestamptz,
    PRIMARY KEY (delivery, series),
    CHECK (published_at IS NULL OR withdrawn_at IS NULL),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_for IS NULL))
);

-- A recovery begins one series of a delivery, however often it is taken up again.
CREATE UNIQUE INDEX series_by_recovery ON series (recovery, delivery) WHERE recovery IS NOT NULL;

-- What is owed: mostly nothing.
CREATE INDEX series_owed ON series (begun_at, delivery) WHERE published_at IS NULL AND withdrawn_at IS NULL;

-- For retention.
CREATE INDEX series_by_age ON series (begun_at);

-- Deliveries of one webhook that are owed again, one page after the other. A recorder with the lease does it.
CREATE TABLE recoveries (
    id            text PRIMARY KEY,
    mode          text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation  text NOT NULL,
    webhook       text NOT NULL,
    -- Which deliveries: that began from `since` on and before `until`, and are in one of these states.
    states        text[] NOT NULL CHECK (states <@ ARRAY['exhausted', 'cancelled', 'delivered'] AND cardinality(states) > 0),
    event_type    text,
    since         timestamptz NOT NULL,
    until         timestamptz NOT NULL,
    -- Deliveries a second.
    pace          integer NOT NULL CHECK (0 < pace),
    state         text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled', 'failed')),
    -- Of `failed`: why.
    failed_for    text CHECK (failed_for IN ('webhook_disabled', 'webhook_removed')),
    -- Of `cancelled`: who.
    cancelled_by  text,
    -- What keeps it waiting, in words; null while it gets on.
    waits_for     text,
    -- How many there were when it was asked for, how many series the broker has, and what was passed over.
    found         bigint NOT NULL,
    done          bigint NOT NULL DEFAULT 0,
    payload_gone  bigint NOT NULL DEFAULT 0,
    moved_on      bigint NOT NULL DEFAULT 0,
    -- The last delivery of the last page; null before the first.
    after_begun_at timestamptz,
    after_id      text,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz,
    leased_by     text,
    leased_until  timestamptz,
    CHECK ((after_begun_at IS NULL) = (after_id IS NULL)),
    CHECK ((state = 'running') = (ended_at IS NULL)),
    CHECK ((state = 'failed') = (failed_for IS NOT NULL))
);

-- Two at once over one webhook would only be in each other's way.
CREATE UNIQUE INDEX recoveries_running ON recoveries (webhook) WHERE state = 'running';
CREATE INDEX recoveries_by_age ON recoveries (created_at, id);

-- An event whose payload and answers were removed on request. The row stays, so that a record that comes late does not
-- bring the payload back.
ALTER TABLE events ADD COLUMN expunged_at timestamptz, ADD COLUMN expunged_by text;
CREATE INDEX events_expunged ON events (expunged_at) WHERE expunged_at IS NOT NULL;
