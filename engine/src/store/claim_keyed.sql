WITH due AS (
    SELECT bucket, id, concurrency_key, priority, wake_at FROM live_runs
    WHERE state IN ('sleeping', 'waiting') AND wake_at <= engine_now()
        AND concurrency_key IS NOT NULL AND queue = $1 AND workflow || '@' || version = ANY ($2::text[])
    ORDER BY wake_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), ready AS (
    SELECT bucket, id, concurrency_key, priority, wake_at FROM live_runs
    WHERE state = 'ready' AND concurrency_key IS NOT NULL AND queue = $1 AND workflow || '@' || version = ANY ($2)
    ORDER BY priority, wake_at
    LIMIT $3 - (SELECT count(*) FROM due)
    FOR UPDATE SKIP LOCKED
), candidate AS (
    SELECT * FROM due
    UNION ALL
    SELECT * FROM ready
), key AS (
    -- The counter says what is free: nothing is counted. Its lock makes claim and release of a key take turns.
    SELECT key, max_leased - leased AS free FROM concurrency_keys
    WHERE key IN (SELECT concurrency_key FROM candidate)
    ORDER BY key COLLATE "C"
    FOR UPDATE
), ranked AS (
    SELECT candidate.*, key.free,
        row_number() OVER (PARTITION BY candidate.concurrency_key ORDER BY candidate.priority, candidate.wake_at) AS rank
    FROM candidate
    JOIN key ON key.key = candidate.concurrency_key
    WHERE EXISTS (SELECT FROM workers WHERE id = $4 AND state = 'active' AND expires_at > engine_now())
        AND NOT EXISTS (SELECT FROM queues WHERE name = $1 AND (paused OR max_leased IS NOT NULL AND ($6::smallint & 1) = 0))
), counted AS (
    UPDATE concurrency_keys AS held
    SET leased = held.leased + taken.count
    FROM (SELECT concurrency_key, count(*) FROM ranked WHERE rank <= free GROUP BY concurrency_key) AS taken
    WHERE held.key = taken.concurrency_key
), blocked AS (
    -- Out of the indexes above, so that the runs of a full key, sleepers included, do not stand in the way of others.
    UPDATE live_runs AS run
    SET state = 'blocked'
    FROM ranked
    WHERE ranked.rank > ranked.free AND run.bucket = ranked.bucket AND run.id = ranked.id
), leased AS (
    UPDATE live_runs AS run
    SET state = 'leased', epoch = run.epoch + 1, attempt = run.attempt + 1, worker_id = $4,
        deadline_at = engine_now() + $5::interval, slots = $6
    FROM ranked
    WHERE ranked.rank <= ranked.free AND run.bucket = ranked.bucket AND run.id = ranked.id
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
