-- A claim takes runs in one order, by priority, whether they have a concurrency key or not: one index serves it.
DROP INDEX live_runs_ready;
DROP INDEX live_runs_ready_keyed;
CREATE INDEX live_runs_ready ON live_runs (queue, priority, wake_at) WHERE state = 'ready';

-- Runs of a full key get their turn in the same order.
DROP INDEX live_runs_blocked;
CREATE INDEX live_runs_blocked ON live_runs (concurrency_key, priority, wake_at) WHERE state = 'blocked';
