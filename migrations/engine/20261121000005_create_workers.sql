-- One row per worker process, touched by its heartbeat. A lease is good as long as its worker's row is.
CREATE TABLE workers (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    queues      text[]      NOT NULL,
    definitions text[]      NOT NULL,
    capacity    integer     NOT NULL CHECK (capacity > 0),
    state       text        NOT NULL CHECK (state IN ('active', 'draining')),
    started_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);

COMMENT ON COLUMN workers.name IS 'Host and process id, for people; also the actor of its events';
COMMENT ON COLUMN workers.definitions IS 'Definitions it can run, as workflow@version';
COMMENT ON COLUMN workers.capacity IS 'Runs it advances at once';
COMMENT ON COLUMN workers.expires_at IS 'Past this its leases may be taken; the heartbeat moves it on';

-- Operators' settings per queue. A queue without a row is unlimited and not paused.
CREATE TABLE queues (
    name       text    PRIMARY KEY,
    max_leased integer CHECK (max_leased > 0),
    leased     integer NOT NULL DEFAULT 0 CHECK (leased >= 0),
    paused     boolean NOT NULL DEFAULT false
);

COMMENT ON COLUMN queues.max_leased IS 'Most runs of the queue that are leased at once; NULL: no limit';
COMMENT ON COLUMN queues.leased IS 'Runs leased that count against the limit: kept by claim and release, never counted';
COMMENT ON COLUMN queues.paused IS 'A paused queue hands out no run';

CREATE TABLE concurrency_keys (
    key        text    PRIMARY KEY,
    max_leased integer NOT NULL CHECK (max_leased > 0),
    leased     integer NOT NULL DEFAULT 0 CHECK (leased >= 0)
);

COMMENT ON COLUMN concurrency_keys.key IS 'Workflow and key, as workflow/key';
COMMENT ON COLUMN concurrency_keys.max_leased IS 'Most runs of this key that are leased at once';
COMMENT ON COLUMN concurrency_keys.leased IS 'Runs leased that count against the limit';
