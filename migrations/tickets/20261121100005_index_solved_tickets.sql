-- Every ticket is compared with those that were solved last.
CREATE INDEX tickets_solved ON tickets ((coalesce(resolved_at, completed_at)))
    WHERE status = 'completed' OR resolved_at IS NOT NULL;
