-- Outside input to a run, in order of arrival. The run's log records a signal when the run consumes it.
CREATE TABLE signals (
    bucket  smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    run_id  uuid        NOT NULL,
    number  integer     NOT NULL CHECK (number > 0),
    name    text        NOT NULL,
    payload json        NOT NULL,
    actor   text        NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (bucket, run_id, number)
);

COMMENT ON COLUMN signals.number IS 'live_runs.signal_count after this signal: 1, 2, 3 …';

-- Idempotency guard: a key names the run that its first request made. Shares the run's bucket.
CREATE TABLE idempotency (
    bucket       smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    key_hash     bytea       NOT NULL CHECK (octet_length(key_hash) = 32),
    run_id       uuid        NOT NULL,
    request_hash bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (bucket, key_hash)
);

COMMENT ON COLUMN idempotency.key_hash IS 'SHA-256 of the key; its first byte is the bucket';
COMMENT ON COLUMN idempotency.request_hash IS 'SHA-256 of the request: the same key with another request is an error';
COMMENT ON COLUMN idempotency.expires_at IS 'Past this the key is free again';

CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE schedules (
    name        text        PRIMARY KEY,
    workflow    text        NOT NULL,
    cron        text        NOT NULL,
    input       json        NOT NULL,
    overlap     text        NOT NULL CHECK (overlap IN ('allow', 'skip')),
    paused      boolean     NOT NULL DEFAULT false,
    next_at     timestamptz NOT NULL,
    last_run_id uuid
);

COMMENT ON COLUMN schedules.cron IS 'Five-field cron expression, in UTC';
COMMENT ON COLUMN schedules.input IS 'Input of every run it starts';
COMMENT ON COLUMN schedules.overlap IS 'skip: no new run while the last one is live';
COMMENT ON COLUMN schedules.next_at IS 'When it fires next';
COMMENT ON COLUMN schedules.last_run_id IS 'Run that it started last';

CREATE INDEX schedules_due ON schedules (next_at) WHERE NOT paused;
