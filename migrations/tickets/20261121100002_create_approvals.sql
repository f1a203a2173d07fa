-- Requests for a person's decision: one row per wait of a ticket's run for the signal `approval`.
CREATE TABLE approvals (
    bucket          smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    ticket_id       uuid        NOT NULL,
    seq             integer     NOT NULL CHECK (seq > 0),
    is_open         boolean     NOT NULL,
    status          text        NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'superseded')),
    draft           text,
    reasons         text[]      NOT NULL DEFAULT '{}',
    requested_at    timestamptz NOT NULL,
    deadline        timestamptz,
    decided_at      timestamptz,
    decided_by      text,
    reason          text,
    edited_response text,
    PRIMARY KEY (bucket, ticket_id, seq),
    CHECK (is_open OR status <> 'pending'),
    CHECK ((status = 'pending') = (decided_at IS NULL)),
    CHECK (status NOT IN ('approved', 'rejected') OR decided_by IS NOT NULL)
);

COMMENT ON COLUMN approvals.bucket IS 'Shard key: the last byte of the ticket''s id';
COMMENT ON COLUMN approvals.ticket_id IS 'Ticket whose draft is to be decided on';
COMMENT ON COLUMN approvals.seq IS 'Event of the ticket''s log that asked for the decision';
COMMENT ON COLUMN approvals.is_open IS 'The run still waits: only the log''s next event closes it, whatever the status says already';
COMMENT ON COLUMN approvals.status IS 'pending; approved or rejected by a person; expired: its deadline passed; superseded: the run went on another way';
COMMENT ON COLUMN approvals.draft IS 'The reply to be decided on';
COMMENT ON COLUMN approvals.reasons IS 'Why a person must decide';
COMMENT ON COLUMN approvals.requested_at IS 'When the decision was asked for';
COMMENT ON COLUMN approvals.deadline IS 'When the wait ends without a decision; NULL: never';
COMMENT ON COLUMN approvals.decided_at IS 'When it was decided, expired or was superseded';
COMMENT ON COLUMN approvals.decided_by IS 'Who decided';
COMMENT ON COLUMN approvals.reason IS 'Why, in the words of who decided';
COMMENT ON COLUMN approvals.edited_response IS 'Reply to send in place of the draft';

CREATE UNIQUE INDEX approvals_one_open ON approvals (bucket, ticket_id) WHERE is_open;
CREATE INDEX approvals_pending ON approvals (requested_at, ticket_id) WHERE status = 'pending';
