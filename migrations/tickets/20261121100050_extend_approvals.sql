-- What a person is asked about besides the draft, and the two further ways to answer: send it back, repeat the answer.
ALTER TABLE approvals
    ADD COLUMN actions          jsonb    NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(actions) = 'array'),
    ADD COLUMN redrafts_left    smallint NOT NULL DEFAULT 0 CHECK (redrafts_left >= 0),
    ADD COLUMN instructions     text,
    ADD COLUMN approved_actions text[],
    ADD COLUMN decision_key     text,
    DROP CONSTRAINT approvals_status_check,
    ADD CONSTRAINT approvals_status_check
        CHECK (status IN ('pending', 'approved', 'sent_back', 'rejected', 'expired', 'superseded')),
    DROP CONSTRAINT approvals_check2,
    ADD CONSTRAINT approvals_decider_check
        CHECK (status NOT IN ('approved', 'sent_back', 'rejected') OR decided_by IS NOT NULL),
    ADD CONSTRAINT approvals_instructions_check CHECK ((status = 'sent_back') = (instructions IS NOT NULL));

COMMENT ON COLUMN approvals.status IS
    'pending; approved, sent_back or rejected by a person; expired: its deadline passed; superseded: the run went on another way';
COMMENT ON COLUMN approvals.actions IS 'Guarded actions that run if it is approved, each with its parameters';
COMMENT ON COLUMN approvals.redrafts_left IS 'How often another draft could still be asked for when this was asked';
COMMENT ON COLUMN approvals.instructions IS 'What the next draft is to do differently, in the words of who sent it back';
COMMENT ON COLUMN approvals.approved_actions IS 'Names of those of the actions that were approved; NULL: all';
COMMENT ON COLUMN approvals.decision_key IS 'Idempotency key of the request that decided';
