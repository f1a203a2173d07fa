WITH item AS (
    SELECT * FROM unnest(
        $1::smallint[], $2::uuid[], $3::text[], $4::integer[], $5::text[], $6::smallint[], $7::text[], $8::integer[],
        $9::timestamptz[], $10::bytea[], $11::bytea[], $12::timestamptz[], $13::uuid[], $14::integer[], $15::text[],
        $16::text[], $17::text[], $18::text[], $19::timestamptz[], $20::bytea[]
    ) AS item (
        bucket, id, workflow, version, queue, priority, concurrency_key, key_limit,
        start_at, key_hash, request_hash, expires_at, parent_id, parent_seq, traceparent,
        step, actor, payload, at, hash
    )
), guard AS (
    -- A key that has expired is taken over; one that is held keeps its run, and the new run is not written.
    INSERT INTO idempotency AS held (bucket, key_hash, run_id, request_hash, expires_at)
    SELECT bucket, key_hash, id, request_hash, expires_at FROM item
    WHERE key_hash IS NOT NULL
    ORDER BY bucket, key_hash
    ON CONFLICT (bucket, key_hash) DO UPDATE
    SET run_id = EXCLUDED.run_id, request_hash = EXCLUDED.request_hash, expires_at = EXCLUDED.expires_at
    WHERE held.expires_at <= $21
    RETURNING run_id
), fresh AS (
    SELECT * FROM item WHERE key_hash IS NULL OR id IN (SELECT run_id FROM guard)
), header AS (
    INSERT INTO runs (
        bucket, id, workflow, version, queue, priority, concurrency_key, status, created_at, parent_id, parent_seq,
        traceparent
    )
    SELECT bucket, id, workflow, version, queue, priority, concurrency_key, 'live', at, parent_id, parent_seq,
        traceparent
    FROM fresh
), log AS (
    INSERT INTO run_events (bucket, run_id, seq, epoch, kind, step, attempt, actor, payload, at, hash)
    SELECT bucket, id, 0, 0, 'created', step, 0, actor, payload::json, at, hash FROM fresh
), live AS (
    INSERT INTO live_runs (
        bucket, id, workflow, version, queue, priority, concurrency_key, state, wake_at, step, seq, attempt, crashes,
        epoch, last_hash
    )
    SELECT bucket, id, workflow, version, queue, priority, concurrency_key,
        CASE WHEN start_at IS NULL THEN 'ready' ELSE 'sleeping' END, coalesce(start_at, engine_now()),
        step, 0, 0, 0, 0, hash
    FROM fresh
)
SELECT id AS "id!: RunId" FROM fresh
