-- Who may do what to an organisation's webhooks over HTTP, and what they did.

ALTER TABLE webhooks
    -- What a person calls it.
    ADD COLUMN description   text NOT NULL DEFAULT '',
    -- When each secret but the current one stops to sign, in the order of `sealed_secrets`.
    ADD COLUMN secrets_until timestamptz[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT webhooks_secrets_until CHECK (cardinality(secrets_until) = cardinality(sealed_secrets) - 1);

-- Keys by which organisations call the API. The key itself is nowhere: `hash` is HMAC-SHA-256 of it, under a key derived
-- from the sealing key called `sealing_key`. With another sealing key, `proof` differs as well, so that a lost or wrong
-- one is told from a wrong API key.
CREATE TABLE api_keys (
    id           text PRIMARY KEY,
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    -- Any word of the platform; only `administrator` and `developer` open anything.
    role         text NOT NULL,
    -- What a person calls it.
    name         text NOT NULL,
    sealing_key  text NOT NULL,
    hash         bytea NOT NULL,
    proof        bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    -- To the minute.
    last_used_at timestamptz
);

CREATE INDEX api_keys_by_organisation ON api_keys (mode, organisation, id);

-- Sign-ins to the console that the platform's backend asked for on behalf of a user; each opens once. Only a hash is kept:
-- a sign-in is 256 random bits and lives for minutes.
CREATE TABLE sign_ins (
    hash         bytea PRIMARY KEY,
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    role         text NOT NULL,
    -- What the console and the audit call the user.
    user_name    text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);

CREATE INDEX sign_ins_by_end ON sign_ins (expires_at);

-- What was answered to a creation that carried an `Idempotency-Key`, for a day. The answer holds a secret, so it is sealed.
CREATE TABLE idempotent_answers (
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    key          text NOT NULL,
    -- SHA-256 of what was asked.
    request      bytea NOT NULL,
    sealed       bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mode, organisation, key)
);

CREATE INDEX idempotent_answers_by_age ON idempotent_answers (created_at);

-- Who did what to which webhook, key or secret, written in the transaction of the change. It holds no secret, no payload
-- and no whole URL.
CREATE TABLE audit (
    -- Version 7, so that it sorts by time.
    id           uuid PRIMARY KEY,
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    actor_kind   text NOT NULL CHECK (actor_kind IN ('key', 'operator', 'user', 'cli', 'system')),
    -- The key's id, the user's name; what tells one from another of its kind.
    actor        text NOT NULL,
    action       text NOT NULL,
    -- The id of the webhook, key, delivery or the like.
    target       text NOT NULL,
    -- Where the request came from, as far as is known.
    address      text,
    request      text,
    -- What changed, as far as it may be told.
    details      jsonb NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_by_organisation ON audit (mode, organisation, id);
