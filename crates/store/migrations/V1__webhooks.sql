-- What organisations registered. The truth: Redis and the workers' memory only hold copies of it.
CREATE TABLE webhooks (
    id              text PRIMARY KEY,
    mode            text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation    text NOT NULL,
    url             text NOT NULL,
    event_types     text[] NOT NULL CHECK (cardinality(event_types) > 0),
    expansion       text[] NOT NULL,
    -- The current secret first, then those that a rotation keeps alive; each sealed for this webhook alone.
    sealed_secrets  bytea[] NOT NULL CHECK (cardinality(sealed_secrets) > 0),
    -- Null while enabled.
    disabled_reason text CHECK (disabled_reason IN ('requested', 'gone')),
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- One event is sent to one URL once. The index also finds the webhooks of an organisation.
    UNIQUE (mode, organisation, url)
);

-- The version of each organisation's subscriptions, raised in the transaction of every write. Rows stay when the last
-- webhook goes: a copy of what was removed must still be recognised as old.
CREATE TABLE subscription_versions (
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    version      bigint NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (mode, organisation)
);

-- For the question every worker asks every two seconds: what changed of late?
CREATE INDEX subscription_versions_by_change ON subscription_versions (changed_at, mode, organisation);
