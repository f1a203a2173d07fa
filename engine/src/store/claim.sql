WITH due AS (
    -- Sleepers and waiters whose time has come need no step in between to become ready.
    SELECT bucket, id FROM live_runs
    WHERE state IN ('sleeping', 'waiting') AND wake_at <= engine_now()
        AND concurrency_key IS NULL AND queue = $1 AND workflow || '@' || version = ANY ($2::text[])
        AND EXISTS (SELECT FROM workers WHERE id = $4 AND state = 'active' AND expires_at > engine_now())
        AND NOT EXISTS (SELECT FROM queues WHERE name = $1 AND (paused OR max_leased IS NOT NULL AND $6::smallint = 0))
    ORDER BY wake_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), ready AS (
    SELECT bucket, id, priority, wake_at FROM live_runs
    WHERE state = 'ready' AND concurrency_key IS NULL AND queue = $1 AND workflow || '@' || version = ANY ($2)
        AND EXISTS (SELECT FROM workers WHERE id = $4 AND state = 'active' AND expires_at > engine_now())
        AND NOT EXISTS (SELECT FROM queues WHERE name = $1 AND (paused OR max_leased IS NOT NULL AND $6 = 0))
    ORDER BY priority, wake_at
    LIMIT $3 - (SELECT count(*) FROM due)
    FOR UPDATE SKIP LOCKED
), picked AS (
    SELECT bucket, id FROM due
    UNION ALL
    SELECT bucket, id FROM ready
), leased AS (
    UPDATE live_runs AS run
    SET state = 'leased', epoch = run.epoch + 1, attempt = run.attempt + 1, worker_id = $4,
        deadline_at = engine_now() + $5::interval, slots = $6
    FROM picked
    WHERE run.bucket = picked.bucket AND run.id = picked.id
    RETURNING run.bucket, run.id, run.priority, run.wake_at, run.seq, run.epoch, run.attempt, run.signal_count,
        run.slots, run.queue, run.concurrency_key
)
SELECT leased.id AS "id: RunId", leased.seq AS live_seq, leased.epoch AS "live_epoch: Epoch",
    leased.attempt AS live_attempt, leased.signal_count, leased.slots, leased.queue, leased.concurrency_key,
    engine_now() AS "now!", event.seq, event.epoch, event.kind, event.step, event.attempt, event.actor,
    event.payload::text AS "payload!", event.duration_ms, event.at, event.hash, event.erased_digest
FROM leased
JOIN run_events AS event ON event.bucket = leased.bucket AND event.run_id = leased.id
ORDER BY leased.priority, leased.wake_at, leased.id, event.seq
