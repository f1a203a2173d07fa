INSERT INTO model_usage AS u (
    day, provider, model, prompt, calls, failures, accepted, repaired, fallbacks, tokens_input, tokens_output,
    tokens_cached, charged_nanos, latency_ms
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (day, provider, model, prompt) DO UPDATE SET
    calls = u.calls + excluded.calls,
    failures = u.failures + excluded.failures,
    accepted = u.accepted + excluded.accepted,
    repaired = u.repaired + excluded.repaired,
    fallbacks = u.fallbacks + excluded.fallbacks,
    tokens_input = u.tokens_input + excluded.tokens_input,
    tokens_output = u.tokens_output + excluded.tokens_output,
    tokens_cached = u.tokens_cached + excluded.tokens_cached,
    charged_nanos = u.charged_nanos + excluded.charged_nanos,
    latency_ms = u.latency_ms + excluded.latency_ms
