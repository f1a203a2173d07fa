-- The append-only log of every run. A step's checkpoint is its step_completed event: there is no second store.
CREATE TABLE run_events (
    bucket        smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    run_id        uuid        NOT NULL,
    seq           integer     NOT NULL CHECK (seq >= 0),
    epoch         bigint      NOT NULL CHECK (epoch >= 0),
    kind          text        NOT NULL,
    step          text,
    attempt       integer     NOT NULL CHECK (attempt >= 0),
    actor         text        NOT NULL,
    payload       json        NOT NULL,
    duration_ms   integer     CHECK (duration_ms >= 0),
    at            timestamptz NOT NULL,
    hash          bytea       NOT NULL CHECK (octet_length(hash) = 32),
    erased_digest bytea       CHECK (octet_length(erased_digest) = 32),
    PRIMARY KEY (bucket, run_id, seq)
) PARTITION BY RANGE (run_id);

COMMENT ON COLUMN run_events.seq IS 'Position in the log of the run: 0, 1, 2 … without gaps';
COMMENT ON COLUMN run_events.epoch IS 'Epoch it was written under; never falls along the log';
COMMENT ON COLUMN run_events.kind IS 'What happened; docs/engine.md lists the kinds';
COMMENT ON COLUMN run_events.attempt IS 'Attempt of the step it belongs to; 0 where there is none';
COMMENT ON COLUMN run_events.actor IS 'Who caused it: a worker, an API client, an operator, the reaper';
COMMENT ON COLUMN run_events.payload IS 'Kept byte for byte, for the digest in the hash covers these bytes';
COMMENT ON COLUMN run_events.duration_ms IS 'How long the attempt took, in milliseconds';
COMMENT ON COLUMN run_events.hash IS 'event_hash over the previous hash and every column';
COMMENT ON COLUMN run_events.erased_digest IS 'Digest of a payload that was erased, so that the chain still verifies';

-- The chain's definition, independent of the Rust that writes it: the audit recomputes every hash with this function.
-- A text is preceded by its length in bytes (4 bytes, -1 for NULL), so that no two different events share an encoding.
CREATE FUNCTION event_hash(
    previous bytea, run_id uuid, seq integer, epoch bigint, kind text, step text, attempt integer, actor text,
    duration_ms integer, at timestamptz, payload_digest bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN sha256(
    previous || uuid_send(run_id) || int4send(seq) || int8send(epoch)
    || int4send(octet_length(kind)) || convert_to(kind, 'UTF8')
    || int4send(coalesce(octet_length(step), -1)) || convert_to(coalesce(step, ''), 'UTF8')
    || int4send(attempt)
    || int4send(octet_length(actor)) || convert_to(actor, 'UTF8')
    || int4send(coalesce(duration_ms, -1))
    || int8send((extract(epoch FROM at) * 1000000)::bigint)
    || payload_digest
);

CREATE FUNCTION payload_digest(payload json) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN sha256(convert_to(payload::text, 'UTF8'));

-- Second wall behind the grants: an UPDATE or DELETE of the log is refused whoever asks. Only the audited erasure
-- function, which sets this variable for its own transaction, may replace a payload by a
-- tombstone, and nothing else.
CREATE FUNCTION refuse_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('ticketflow.erasing', true) = 'on'
        AND NEW.payload::text = '{"erased":true}'
        AND NEW.erased_digest = coalesce(OLD.erased_digest, payload_digest(OLD.payload))
        AND (NEW.bucket, NEW.run_id, NEW.seq, NEW.epoch, NEW.kind, NEW.step, NEW.attempt, NEW.actor, NEW.duration_ms, NEW.at, NEW.hash)
            IS NOT DISTINCT FROM
            (OLD.bucket, OLD.run_id, OLD.seq, OLD.epoch, OLD.kind, OLD.step, OLD.attempt, OLD.actor, OLD.duration_ms, OLD.at, OLD.hash)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'run_events is append-only' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER run_events_append_only BEFORE UPDATE OR DELETE ON run_events
    FOR EACH ROW EXECUTE FUNCTION refuse_log_change();
CREATE FUNCTION refuse_log_truncation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'run_events is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER run_events_no_truncate BEFORE TRUNCATE ON run_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_truncation();
