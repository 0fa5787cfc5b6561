-- Who is signed in to the console. Only a hash of what the browser shows is kept: it is 256 random bits and lives for hours.
CREATE TABLE sessions (
    hash         bytea PRIMARY KEY,
    -- In which mode it began; which modes it opens follows from who holds it.
    mode         text NOT NULL CHECK (mode IN ('live', 'test')),
    organisation text NOT NULL,
    -- A user whom the platform signed in, and their role: both modes are open.
    user_name    text,
    role         text,
    -- Or keys, one per mode: what each may do, and whether it still opens anything, is asked of the key every time.
    live_key     text,
    test_key     text,
    begun_at     timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    -- To the minute.
    seen_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((user_name IS NULL) = (role IS NULL)),
    CHECK ((user_name IS NULL) <> (live_key IS NULL AND test_key IS NULL))
);

CREATE INDEX sessions_by_organisation ON sessions (organisation, begun_at);

-- For removing what has run out.
CREATE INDEX sessions_by_end ON sessions (expires_at);
