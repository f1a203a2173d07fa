-- One round of patches; each row occurs once. A status comes with its completed_at and error_code.
UPDATE tickets AS t
SET version = p.version,
    updated_at = p.updated_at,
    status = CASE p.status WHEN 'restored' THEN coalesce(t.paused_from, 'processing') ELSE coalesce(p.status, t.status) END,
    paused_from = CASE WHEN p.status IS NULL THEN t.paused_from WHEN p.status = 'paused' THEN t.status END,
    completed_at = CASE WHEN p.status IS NULL THEN t.completed_at ELSE p.completed_at END,
    error_code = CASE WHEN p.status IS NULL THEN t.error_code ELSE p.error_code END,
    started_at = coalesce(t.started_at, p.started_at),
    resolved_at = CASE WHEN p.resolution IS NULL THEN t.resolved_at ELSE p.resolved_at END,
    category = coalesce(p.category, t.category),
    priority = coalesce(p.priority, t.priority),
    confidence = coalesce(p.confidence, t.confidence),
    language = coalesce(p.language, t.language),
    sentiment = coalesce(p.sentiment, t.sentiment),
    needs_review = coalesce(p.needs_review, t.needs_review),
    action = coalesce(p.action, t.action),
    assignee = CASE WHEN p.reassigned THEN p.assignee ELSE t.assignee END,
    tags = coalesce(p.tags, t.tags),
    metadata = coalesce(p.metadata, t.metadata),
    attempt_count = t.attempt_count + p.attempts,
    ai_fallback = t.ai_fallback OR p.ai_fallback,
    tokens_input = coalesce(t.tokens_input + p.tokens_input, t.tokens_input, p.tokens_input),
    tokens_output = coalesce(t.tokens_output + p.tokens_output, t.tokens_output, p.tokens_output),
    cost_nanos = coalesce(t.cost_nanos + p.cost_nanos, t.cost_nanos, p.cost_nanos),
    edit_distance = coalesce(p.edit_distance, t.edit_distance),
    corrected = coalesce(t.corrected || p.corrected, t.corrected, p.corrected)
FROM jsonb_to_recordset($1) AS p (
    bucket smallint, id uuid, version bigint, updated_at timestamptz, status text, completed_at timestamptz,
    error_code text, started_at timestamptz, resolution boolean, resolved_at timestamptz, category text,
    priority text, confidence double precision, language text, sentiment smallint, needs_review boolean, action text,
    reassigned boolean, assignee text, tags text[], metadata jsonb, attempts integer, ai_fallback boolean,
    tokens_input bigint, tokens_output bigint, cost_nanos bigint, edit_distance double precision, corrected jsonb
)
WHERE t.bucket = p.bucket AND t.id = p.id
