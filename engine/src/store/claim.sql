WITH allowed AS (
    SELECT FROM workers
    WHERE id = $4 AND state = 'active' AND expires_at > engine_now()
        AND NOT EXISTS (SELECT FROM queues WHERE name = $1 AND (paused OR max_leased IS NOT NULL AND $6::smallint = 0))
), due AS (
    -- Sleepers and waiters whose time has come need no step in between to become ready.
    SELECT bucket, id, workflow, version, concurrency_key, priority, wake_at FROM live_runs
    WHERE state IN ('sleeping', 'waiting') AND wake_at <= engine_now()
        AND queue = $1 AND workflow || '@' || version = ANY ($2::text[]) AND EXISTS (SELECT FROM allowed)
    ORDER BY wake_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), ready AS (
    SELECT bucket, id, workflow, version, concurrency_key, priority, wake_at FROM live_runs
    WHERE state = 'ready' AND queue = $1 AND (priority, wake_at) >= ($8::smallint, $9::timestamptz)
        AND workflow || '@' || version = ANY ($2) AND EXISTS (SELECT FROM allowed)
    ORDER BY priority, wake_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), candidate AS (
    -- What is locked above and not taken here is free again when the statement ends.
    SELECT bucket, id, priority, wake_at,
        CASE WHEN workflow || '@' || version = ANY ($7::text[]) THEN concurrency_key END AS key
    FROM (SELECT * FROM due UNION ALL SELECT * FROM ready) AS found
    ORDER BY priority, wake_at
    LIMIT $3
), key AS (
    -- The counter says what is free: nothing is counted. Its lock makes claim and release of a key take turns.
    SELECT key, max_leased - leased AS free FROM concurrency_keys
    WHERE key = ANY (ARRAY(SELECT DISTINCT key FROM candidate WHERE key IS NOT NULL))
    ORDER BY key COLLATE "C"
    FOR UPDATE
), ranked AS (
    SELECT candidate.bucket, candidate.id, key.key,
        row_number() OVER (PARTITION BY candidate.key ORDER BY candidate.priority, candidate.wake_at)
            <= coalesce(key.free, $3) AS fits
    FROM candidate
    LEFT JOIN key ON key.key = candidate.key
), counted AS (
    UPDATE concurrency_keys AS held
    SET leased = held.leased + taken.count
    FROM (SELECT key, count(*) FROM ranked WHERE fits AND key IS NOT NULL GROUP BY key) AS taken
    WHERE held.key = taken.key AND held.key = ANY (ARRAY(SELECT DISTINCT key FROM ranked WHERE fits AND key IS NOT NULL))
), taken AS (
    -- A run of a full key is set aside, out of the indexes above, so that it does not stand in the way of others.
    UPDATE live_runs AS run
    SET state = CASE WHEN ranked.fits THEN 'leased' ELSE 'blocked' END,
        epoch = run.epoch + ranked.fits::integer,
        attempt = run.attempt + ranked.fits::integer,
        worker_id = CASE WHEN ranked.fits THEN $4 END,
        deadline_at = CASE WHEN ranked.fits THEN engine_now() + $5::interval END,
        slots = CASE WHEN ranked.fits THEN $6 | CASE WHEN ranked.key IS NULL THEN 0 ELSE 2 END ELSE 0 END
    FROM ranked
    WHERE run.bucket = ranked.bucket AND run.id = ranked.id
    RETURNING run.bucket, run.id, run.priority, run.wake_at, run.seq, run.epoch, run.attempt, run.signal_count,
        run.slots, run.queue, run.concurrency_key, ranked.fits
)
SELECT taken.id AS "id: RunId", taken.fits AS "leased!", taken.seq AS live_seq, taken.epoch AS "live_epoch: Epoch",
    taken.attempt AS live_attempt, taken.priority, taken.wake_at AS "wake_at!", taken.signal_count, taken.slots, taken.queue, taken.concurrency_key,
    engine_now() AS "now!", event.seq, event.epoch, event.kind, event.step, event.attempt, event.actor,
    event.payload::text AS "payload!", event.duration_ms, event.at, event.hash, event.erased_digest
FROM taken
JOIN run_events AS event ON event.bucket = taken.bucket AND event.run_id = taken.id
    -- Of a run set aside it is enough to know that there is one.
    AND (taken.fits OR event.seq = taken.seq)
ORDER BY taken.priority, taken.wake_at, taken.id, event.seq
