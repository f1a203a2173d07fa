-- What processes share about the models that they ask.

-- One row per model that was ever asked: whether it is asked at present. Small, and on every node of a cluster.
CREATE TABLE model_breakers (
    provider text        NOT NULL,
    model    text        NOT NULL,
    state    text        NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    failures integer     NOT NULL CHECK (failures >= 0),
    trips    integer     NOT NULL CHECK (trips >= 0),
    until    timestamptz,
    version  bigint      NOT NULL CHECK (version > 0),
    PRIMARY KEY (provider, model),
    CHECK ((state = 'closed') = (until IS NULL)),
    CHECK (state = 'closed' OR trips > 0)
);

COMMENT ON TABLE model_breakers IS 'Whether a model is asked at present';
COMMENT ON COLUMN model_breakers.provider IS 'Name of the provider in the configuration';
COMMENT ON COLUMN model_breakers.model IS 'Name of the model, as the provider knows it';
COMMENT ON COLUMN model_breakers.state IS 'closed: it is asked; open: it is not; half_open: one process tries';
COMMENT ON COLUMN model_breakers.failures IS 'Calls in a row that failed while it was closed';
COMMENT ON COLUMN model_breakers.trips IS 'Times in a row that it opened';
COMMENT ON COLUMN model_breakers.until IS 'open: when somebody may try; half_open: when another may, since the one that tries has not said';
COMMENT ON COLUMN model_breakers.version IS 'Grows with every change: two processes never change what they did not see';

-- What was asked and paid, by day: budgets and the comparison of prompts rest on it.
CREATE TABLE model_usage (
    day           date   NOT NULL,
    provider      text   NOT NULL,
    model         text   NOT NULL,
    prompt        text   NOT NULL,
    calls         bigint NOT NULL CHECK (calls >= 0),
    failures      bigint NOT NULL CHECK (failures >= 0),
    accepted      bigint NOT NULL CHECK (accepted >= 0),
    repaired      bigint NOT NULL CHECK (repaired >= 0),
    fallbacks     bigint NOT NULL CHECK (fallbacks >= 0),
    tokens_input  bigint NOT NULL CHECK (tokens_input >= 0),
    tokens_output bigint NOT NULL CHECK (tokens_output >= 0),
    tokens_cached bigint NOT NULL CHECK (tokens_cached >= 0),
    charged_nanos bigint NOT NULL CHECK (charged_nanos >= 0),
    latency_ms    bigint NOT NULL CHECK (latency_ms >= 0),
    PRIMARY KEY (day, provider, model, prompt)
);

COMMENT ON TABLE model_usage IS 'What models were asked and what that cost, by day and prompt';
COMMENT ON COLUMN model_usage.day IS 'Day of the calls, in UTC, by the database''s clock';
COMMENT ON COLUMN model_usage.provider IS 'Name of the provider in the configuration';
COMMENT ON COLUMN model_usage.model IS 'Name of the model, as the provider knows it';
COMMENT ON COLUMN model_usage.prompt IS 'Prompt and hash of its text, as classify@5f0a…, or classify.b@… for the second variant';
COMMENT ON COLUMN model_usage.calls IS 'Requests that left, answered or not';
COMMENT ON COLUMN model_usage.failures IS 'Of those, the ones without an answer';
COMMENT ON COLUMN model_usage.accepted IS 'Results made from the first answer';
COMMENT ON COLUMN model_usage.repaired IS 'Results made from a second answer, after the error in the first was named';
COMMENT ON COLUMN model_usage.fallbacks IS 'Results that the offline rules made in the model''s place';
COMMENT ON COLUMN model_usage.tokens_input IS 'Tokens read, as far as the provider says';
COMMENT ON COLUMN model_usage.tokens_output IS 'Tokens written, as far as the provider says';
COMMENT ON COLUMN model_usage.tokens_cached IS 'Of those read, the ones that the provider had cached';
COMMENT ON COLUMN model_usage.charged_nanos IS 'Cost in billionths of a dollar, estimated from the text''s length where the provider says no tokens; 0 without prices';
COMMENT ON COLUMN model_usage.latency_ms IS 'Milliseconds that the calls took, summed up';

-- Answers that were paid for, until their run has made use of them: who repeats a step after a crash finds them here.
CREATE TABLE model_answers (
    bucket        smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 255),
    run_id        uuid        NOT NULL,
    request_hash  bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
    answer        jsonb       NOT NULL,
    charged_nanos bigint      NOT NULL CHECK (charged_nanos >= 0),
    answered_at   timestamptz NOT NULL,
    PRIMARY KEY (bucket, run_id, request_hash)
);

COMMENT ON TABLE model_answers IS 'Answers of models, so that a request is not paid for twice; swept after two days';
COMMENT ON COLUMN model_answers.bucket IS 'Shard key: the last byte of the run''s id';
COMMENT ON COLUMN model_answers.run_id IS 'Run that asked';
COMMENT ON COLUMN model_answers.request_hash IS 'SHA-256 over provider, model, parameters and the request as it was sent';
COMMENT ON COLUMN model_answers.answer IS 'Answer as it came, with placeholders in the place of personal data, and what is known of its cost';
COMMENT ON COLUMN model_answers.charged_nanos IS 'Cost in billionths of a dollar, estimated where the provider says no tokens: the run''s budget counts it';
COMMENT ON COLUMN model_answers.answered_at IS 'When it came';
