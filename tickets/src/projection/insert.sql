WITH ticket AS (
    INSERT INTO tickets (
        bucket, id, subject, body, customer_id, channel, metadata, status, category, priority, confidence,
        language, sentiment, needs_review, action, ai_fallback, tokens_input, tokens_output, cost_nanos, version,
        forked_from, created_at, updated_at
    )
    SELECT ($2::smallint[])[p.position], p.id, p.subject, p.body, p.customer_id, p.channel, p.metadata, p.status,
        p.category, p.priority, p.confidence, p.language, p.sentiment, p.needs_review, p.action, p.ai_fallback,
        p.tokens_input, p.tokens_output, p.cost_nanos, p.version, p.forked_from, p.created_at, p.updated_at
    FROM ROWS FROM (jsonb_to_recordset($1) AS (
        id uuid, subject text, body text, customer_id text, channel text, metadata jsonb, status text,
        category text, priority text, confidence double precision, language text, sentiment smallint,
        needs_review boolean, action text, ai_fallback boolean, tokens_input bigint, tokens_output bigint,
        cost_nanos bigint, version bigint, forked_from uuid, created_at timestamptz, updated_at timestamptz
    )) WITH ORDINALITY AS p (
        id, subject, body, customer_id, channel, metadata, status, category, priority, confidence, language,
        sentiment, needs_review, action, ai_fallback, tokens_input, tokens_output, cost_nanos, version, forked_from,
        created_at, updated_at, position
    )
    RETURNING bucket, id, subject, body
)
INSERT INTO ticket_words (bucket, id, words)
SELECT bucket, id, to_tsvector('simple', subject || ' ' || body) FROM ticket
