-- As advance.sql, for runs of one bucket. On Citus a statement goes to the one node that has the bucket only if every
-- table of it is held to that bucket by name; a join does not say it.
WITH item AS (
    SELECT * FROM unnest(
        $1::smallint[], $2::uuid[], $3::bigint[], $4::integer[], $5::bigint[], $6::integer[], $7::text[],
        $8::timestamptz[], $9::text[], $10::integer[], $11::integer[], $12::integer[], $13::integer[],
        $14::timestamptz[], $15::bytea[], $16::text[], $17::text[], $18::timestamptz[]
    ) WITH ORDINALITY AS item (
        bucket, id, epoch, seq, epoch_after, signals_seen, state,
        wake_at, step, version, seq_after, attempt, crashes,
        deadline_at, hash, status, error_code, finished_at, position
    )
), moved AS (
    -- A run that stays leased keeps its wake_at: no indexed column changes, and the update stays HOT.
    UPDATE live_runs AS run
    SET epoch = item.epoch_after, state = item.state,
        wake_at = CASE item.state WHEN 'leased' THEN run.wake_at ELSE item.wake_at END,
        worker_id = CASE item.state WHEN 'leased' THEN run.worker_id END,
        slots = CASE item.state WHEN 'leased' THEN run.slots ELSE 0 END,
        step = item.step, version = item.version, seq = item.seq_after, attempt = item.attempt,
        crashes = item.crashes, deadline_at = item.deadline_at, last_hash = item.hash
    FROM item
    WHERE run.bucket = $32
        AND run.bucket = item.bucket AND run.id = item.id AND run.epoch = item.epoch AND run.seq = item.seq
        AND item.status IS NULL
        AND (item.signals_seen IS NULL OR run.signal_count = item.signals_seen)
    RETURNING item.position
), gone AS (
    DELETE FROM live_runs AS run
    USING item
    WHERE run.bucket = $32
        AND run.bucket = item.bucket AND run.id = item.id AND run.epoch = item.epoch AND run.seq = item.seq
        AND item.status IS NOT NULL
    RETURNING item.position
), header AS (
    UPDATE runs
    SET status = item.status, error_code = item.error_code, finished_at = item.finished_at
    FROM item JOIN gone ON gone.position = item.position
    WHERE runs.bucket = $32 AND runs.bucket = item.bucket AND runs.id = item.id
), written AS (
    SELECT position FROM moved
    UNION ALL
    SELECT position FROM gone
), log AS (
    INSERT INTO run_events (
        bucket, run_id, seq, epoch, kind, step, attempt, actor, payload, duration_ms, at, hash
    )
    SELECT event.bucket, event.run_id, event.seq, event.epoch, event.kind, event.step, event.attempt, event.actor,
        event.payload::json, event.duration_ms, event.at, event.hash
    FROM unnest(
        $19::integer[], $20::smallint[], $21::uuid[], $22::integer[], $23::bigint[], $24::text[], $25::text[],
        $26::integer[], $27::text[], $28::text[], $29::integer[], $30::timestamptz[], $31::bytea[]
    ) AS event (
        item, bucket, run_id, seq, epoch, kind, step, attempt, actor, payload, duration_ms, at, hash
    )
    JOIN written ON written.position = event.item
)
SELECT position AS "position!" FROM written
