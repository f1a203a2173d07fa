-- Read model of the runs of the ticket workflows: one row per ticket, a fold of its log, written in the transactions
-- that write the log. Steps that leave status, category and priority alone touch no indexed column, so that their
-- updates stay HOT; the fill factor leaves them room. For the same reason updated_at has no index.
CREATE TABLE tickets (
    bucket        smallint         NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    id            uuid             NOT NULL,
    subject       text             NOT NULL CHECK (char_length(subject) BETWEEN 1 AND 500),
    body          text             NOT NULL CHECK (char_length(body) BETWEEN 1 AND 10000),
    customer_id   text             NOT NULL CHECK (char_length(customer_id) BETWEEN 1 AND 100),
    channel       text             NOT NULL CHECK (channel IN ('email', 'chat', 'web', 'phone', 'api', 'import')),
    metadata      jsonb            NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    status        text             NOT NULL CHECK (status IN (
        'pending', 'processing', 'awaiting_approval', 'completed', 'failed_permanent', 'cancelled', 'paused'
    )),
    paused_from   text,
    result        jsonb            CHECK (jsonb_typeof(result) = 'object'),
    category      text,
    priority      text             CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    priority_rank smallint         NOT NULL GENERATED ALWAYS AS (
        CASE priority WHEN 'low' THEN 1 WHEN 'medium' THEN 2 WHEN 'high' THEN 3 WHEN 'urgent' THEN 4 ELSE 0 END
    ) STORED,
    confidence    double precision CHECK (confidence BETWEEN 0 AND 1),
    language      text,
    sentiment     smallint         CHECK (sentiment BETWEEN 1 AND 10),
    needs_review  boolean          NOT NULL DEFAULT false,
    action        text             CHECK (action IN ('reply', 'ask', 'handoff')),
    assignee      text,
    tags          text[]           NOT NULL DEFAULT '{}',
    attempt_count integer          NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
    ai_fallback   boolean          NOT NULL DEFAULT false,
    tokens_input  bigint           CHECK (tokens_input >= 0),
    tokens_output bigint           CHECK (tokens_output >= 0),
    cost_nanos    bigint,
    version       bigint           NOT NULL CHECK (version > 0),
    error_code    text,
    forked_from   uuid,
    created_at    timestamptz      NOT NULL,
    started_at    timestamptz,
    completed_at  timestamptz,
    resolved_at   timestamptz,
    updated_at    timestamptz      NOT NULL,
    PRIMARY KEY (bucket, id),
    CHECK ((status = 'paused') = (paused_from IS NOT NULL)),
    CHECK ((status IN ('completed', 'failed_permanent', 'cancelled')) = (completed_at IS NOT NULL)),
    CHECK (error_code IS NULL OR status = 'failed_permanent')
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

COMMENT ON TABLE tickets IS 'Read model of ticket runs: a fold of run_events';
COMMENT ON COLUMN tickets.bucket IS 'Shard key: the last byte of the id';
COMMENT ON COLUMN tickets.id IS 'Id of the ticket and of its run';
COMMENT ON COLUMN tickets.subject IS 'Subject line, as the customer wrote it';
COMMENT ON COLUMN tickets.body IS 'The customer''s message';
COMMENT ON COLUMN tickets.customer_id IS 'What the shop calls the customer';
COMMENT ON COLUMN tickets.channel IS 'How the ticket came in';
COMMENT ON COLUMN tickets.metadata IS 'Whatever else the sender knew';
COMMENT ON COLUMN tickets.status IS 'Where the ticket stands, in the words of the API';
COMMENT ON COLUMN tickets.paused_from IS 'Status to go back to when a paused ticket is resumed';
COMMENT ON COLUMN tickets.result IS 'What the steps found, filled step by step; NULL until there is something';
COMMENT ON COLUMN tickets.category IS 'As classified, or as an agent corrected it';
COMMENT ON COLUMN tickets.priority IS 'As classified, escalated or corrected; NULL until classified';
COMMENT ON COLUMN tickets.priority_rank IS 'Priority as a number to sort by; 0 until classified';
COMMENT ON COLUMN tickets.confidence IS 'Probability that the category is right';
COMMENT ON COLUMN tickets.language IS 'ISO 639-1 code of the customer''s language';
COMMENT ON COLUMN tickets.sentiment IS 'Customer''s mood: 1 furious, 10 delighted';
COMMENT ON COLUMN tickets.needs_review IS 'A person should check the category';
COMMENT ON COLUMN tickets.action IS 'What happens to the ticket';
COMMENT ON COLUMN tickets.assignee IS 'Agent who works it';
COMMENT ON COLUMN tickets.tags IS 'Agents'' tags';
COMMENT ON COLUMN tickets.attempt_count IS 'Attempts of steps that ended, well or not';
COMMENT ON COLUMN tickets.ai_fallback IS 'Some step was done by the offline rules in place of the provider of choice';
COMMENT ON COLUMN tickets.tokens_input IS 'Tokens read by models over all attempts; NULL: none known';
COMMENT ON COLUMN tickets.tokens_output IS 'Tokens written by models over all attempts; NULL: none known';
COMMENT ON COLUMN tickets.cost_nanos IS 'Cost of all model calls in billionths of a US dollar; NULL: unknown';
COMMENT ON COLUMN tickets.version IS 'One more than the seq of the last event that changed the row; the ETag';
COMMENT ON COLUMN tickets.error_code IS 'Stable code of the error that failed it';
COMMENT ON COLUMN tickets.forked_from IS 'Ticket whose run this one''s was forked from';
COMMENT ON COLUMN tickets.created_at IS 'When it was submitted';
COMMENT ON COLUMN tickets.started_at IS 'When its first step started';
COMMENT ON COLUMN tickets.completed_at IS 'When its run reached an outcome; NULL while it is under way';
COMMENT ON COLUMN tickets.resolved_at IS 'When a person called it resolved';
COMMENT ON COLUMN tickets.updated_at IS 'When the row last changed';

CREATE INDEX tickets_created ON tickets (created_at, id);
-- Most tickets are completed: a list of those walks tickets_created.
CREATE INDEX tickets_open ON tickets (status, created_at, id) WHERE status <> 'completed';
CREATE INDEX tickets_category ON tickets (category, created_at, id);
CREATE INDEX tickets_priority ON tickets (priority_rank, created_at, id);
CREATE INDEX tickets_customer ON tickets (customer_id, created_at, id);
CREATE INDEX tickets_channel ON tickets (channel, created_at, id);
CREATE INDEX tickets_assignee ON tickets (assignee, created_at, id) WHERE assignee IS NOT NULL;
CREATE INDEX tickets_needs_review ON tickets (created_at, id) WHERE needs_review;
CREATE INDEX tickets_tags ON tickets USING gin (tags) WHERE tags <> '{}';
CREATE INDEX tickets_text ON tickets USING gin (to_tsvector('simple', subject || ' ' || body));
