-- Since when the run waits that may be claimed and waits longest. Walks from one (queue, priority) to the next and takes
-- the first of each: so many index probes as there are such pairs, however many runs wait.
WITH RECURSIVE ready AS (
    (
        SELECT queue, priority, wake_at FROM live_runs
        WHERE state = 'ready'
        ORDER BY queue, priority, wake_at
        LIMIT 1
    )
    UNION ALL
    SELECT next.queue, next.priority, next.wake_at
    FROM ready, LATERAL (
        SELECT queue, priority, wake_at FROM live_runs
        WHERE state = 'ready' AND (queue, priority) > (ready.queue, ready.priority)
        ORDER BY queue, priority, wake_at
        LIMIT 1
    ) AS next
), due AS (
    -- The index on timers serves both states; only sleepers count as ready.
    SELECT wake_at FROM live_runs
    WHERE state IN ('sleeping', 'waiting') AND state = 'sleeping' AND wake_at <= engine_now()
    ORDER BY wake_at
    LIMIT 1
)
SELECT coalesce(greatest(extract(epoch FROM engine_now() - min(wake_at)), 0), 0)::float8 AS "seconds!"
FROM (SELECT wake_at FROM ready UNION ALL SELECT wake_at FROM due) AS first
