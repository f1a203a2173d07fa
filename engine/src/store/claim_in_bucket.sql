-- A claim on Citus: from one bucket, and so on one node. What the statement locks has to be held to the bucket by name
-- inside and outside. There are no limits to count against; a queue that has one gives nothing here.
-- Ready runs and those whose time has come are asked for apart ($7), for each has an index of its own.
-- The runs stand in a query of their own, which is made once: in the FROM of the update it could be made again for each
-- row, and lock more of them than were asked for.
WITH ready AS (
    SELECT id FROM live_runs
    WHERE bucket = $1 AND queue = $2 AND workflow || '@' || version::text = ANY ($3::text[])
        AND state = ANY ($7::text[]) AND (state = 'ready' OR wake_at <= engine_now())
        AND EXISTS (
            SELECT FROM workers
            WHERE workers.id = $5 AND workers.state = 'active' AND workers.expires_at > engine_now()
        )
        AND NOT EXISTS (SELECT FROM queues WHERE name = $2 AND (paused OR max_leased IS NOT NULL))
    ORDER BY priority, wake_at
    LIMIT $4
    FOR UPDATE OF live_runs SKIP LOCKED
), taken AS (
    UPDATE live_runs AS run
    SET state = 'leased', epoch = run.epoch + 1, attempt = run.attempt + 1, worker_id = $5,
        deadline_at = engine_now() + $6::interval, slots = 0
    FROM ready
    WHERE run.bucket = $1 AND run.id = ready.id
    RETURNING run.bucket, run.id, run.priority, run.wake_at, run.seq, run.epoch, run.attempt, run.signal_count,
        run.slots, run.queue, run.concurrency_key
)
SELECT taken.id AS "id: RunId", true AS "leased!", taken.seq AS live_seq, taken.epoch AS "live_epoch: Epoch",
    taken.attempt AS live_attempt, taken.priority, taken.wake_at AS "wake_at!", taken.signal_count, taken.slots, taken.queue, taken.concurrency_key,
    engine_now() AS "now!", event.seq, event.epoch, event.kind, event.step, event.attempt, event.actor,
    event.payload::text AS "payload!", event.duration_ms, event.at, event.hash, event.erased_digest
FROM taken
JOIN run_events AS event ON event.bucket = taken.bucket AND event.run_id = taken.id
WHERE event.bucket = $1
ORDER BY taken.priority, taken.wake_at, taken.id, event.seq
