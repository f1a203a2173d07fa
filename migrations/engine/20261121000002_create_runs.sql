-- Cold header of a run, live or finished. Range-partitioned by id: a UUIDv7 carries its creation time, so
-- retention drops whole partitions and a look-up by id touches one.
CREATE TABLE runs (
    bucket          smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    id              uuid        NOT NULL,
    workflow        text        NOT NULL,
    version         integer     NOT NULL CHECK (version > 0),
    queue           text        NOT NULL,
    priority        smallint    NOT NULL,
    concurrency_key text,
    status          text        NOT NULL CHECK (status IN ('live', 'completed', 'failed', 'cancelled')),
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    parent_id       uuid,
    parent_seq      integer,
    traceparent     text,
    error_code      text,
    PRIMARY KEY (bucket, id),
    CHECK ((status = 'live') = (finished_at IS NULL)),
    CHECK ((parent_id IS NULL) = (parent_seq IS NULL))
) PARTITION BY RANGE (id);

COMMENT ON COLUMN runs.bucket IS 'Shard key: last byte of the id';
COMMENT ON COLUMN runs.id IS 'UUIDv7 whose last byte is the bucket';
COMMENT ON COLUMN runs.workflow IS 'Name of the definition the run is pinned to';
COMMENT ON COLUMN runs.version IS 'Version of the definition the run is pinned to';
COMMENT ON COLUMN runs.queue IS 'Queue that workers claim it from';
COMMENT ON COLUMN runs.priority IS 'Lower is claimed first';
COMMENT ON COLUMN runs.concurrency_key IS 'Runs that share a key share its limit; NULL: unlimited';
COMMENT ON COLUMN runs.status IS 'live while a live_runs row exists, then the outcome';
COMMENT ON COLUMN runs.created_at IS 'When the run was enqueued';
COMMENT ON COLUMN runs.finished_at IS 'When the run reached its outcome; NULL while live';
COMMENT ON COLUMN runs.parent_id IS 'Run this one was forked from';
COMMENT ON COLUMN runs.parent_seq IS 'Last event of the parent that the fork took over';
COMMENT ON COLUMN runs.traceparent IS 'W3C trace context of the request that enqueued it';
COMMENT ON COLUMN runs.error_code IS 'Stable code of the error that failed it';

-- One narrow row per run that is not finished; deleted at the end. Updates of a step touch no indexed column, so
-- they stay HOT; the fill factor leaves them room on the page.
CREATE TABLE live_runs (
    bucket          smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    id              uuid        NOT NULL,
    workflow        text        NOT NULL,
    version         integer     NOT NULL CHECK (version > 0),
    queue           text        NOT NULL,
    priority        smallint    NOT NULL,
    concurrency_key text,
    state           text        NOT NULL
        CHECK (state IN ('ready', 'blocked', 'leased', 'sleeping', 'waiting', 'paused')),
    wake_at         timestamptz,
    step            text        NOT NULL,
    seq             integer     NOT NULL CHECK (seq >= 0),
    attempt         integer     NOT NULL CHECK (attempt >= 0),
    crashes         integer     NOT NULL CHECK (crashes >= 0),
    epoch           bigint      NOT NULL CHECK (epoch >= 0),
    signal_count    integer     NOT NULL DEFAULT 0 CHECK (signal_count >= 0),
    slots           smallint    NOT NULL DEFAULT 0 CHECK (slots BETWEEN 0 AND 3),
    worker_id       uuid,
    deadline_at     timestamptz,
    last_hash       bytea       NOT NULL CHECK (octet_length(last_hash) = 32),
    PRIMARY KEY (bucket, id),
    CHECK ((state = 'leased') = (worker_id IS NOT NULL)),
    CHECK (state NOT IN ('ready', 'sleeping') OR wake_at IS NOT NULL),
    CHECK (slots = 0 OR state = 'leased')
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.1,
    autovacuum_vacuum_cost_delay = 0
);

COMMENT ON COLUMN live_runs.state IS 'ready: may be claimed; blocked: its concurrency key is full; leased: a worker has it; sleeping: until wake_at; waiting: for a signal, or until wake_at; paused: by an operator';
COMMENT ON COLUMN live_runs.wake_at IS 'ready: since when; sleeping: until when; waiting: time-out, NULL for none';
COMMENT ON COLUMN live_runs.step IS 'Step that runs next, or is running';
COMMENT ON COLUMN live_runs.seq IS 'Sequence number of the last event of the log';
COMMENT ON COLUMN live_runs.attempt IS 'Attempts of this step that were started, counted before the step runs';
COMMENT ON COLUMN live_runs.crashes IS 'Times a worker died on this step';
COMMENT ON COLUMN live_runs.epoch IS 'Fencing token: a write that names an older one is refused';
COMMENT ON COLUMN live_runs.signal_count IS 'Signals ever sent; a run parks only if it has seen them all';
COMMENT ON COLUMN live_runs.slots IS 'Limits it counts against while leased: 1 its queue''s, 2 its key''s';
COMMENT ON COLUMN live_runs.worker_id IS 'Worker that holds the lease';
COMMENT ON COLUMN live_runs.deadline_at IS 'When the running step should long have been over; past it any worker may reap the run';
COMMENT ON COLUMN live_runs.last_hash IS 'Hash of the last event: the next one is chained to it';

CREATE INDEX live_runs_ready ON live_runs (queue, priority, wake_at)
    WHERE state = 'ready' AND concurrency_key IS NULL;
CREATE INDEX live_runs_ready_keyed ON live_runs (queue, priority, wake_at)
    WHERE state = 'ready' AND concurrency_key IS NOT NULL;
CREATE INDEX live_runs_blocked ON live_runs (concurrency_key, wake_at) WHERE state = 'blocked';
CREATE INDEX live_runs_timer ON live_runs (wake_at) WHERE state IN ('sleeping', 'waiting');
CREATE INDEX live_runs_leased ON live_runs (worker_id) WHERE state = 'leased';
