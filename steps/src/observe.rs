//! The metric names of models. Labels are names from the configuration and closed words; no label carries text.

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use std::time::Duration;
use ticketflow_tickets::triage::{FallbackReason, ModelCall, TriageStep};

/// Calls of models, by how they ended.
pub const CALLS: &str = "model_calls_total";
/// Seconds a call took.
pub const DURATION: &str = "model_call_duration_seconds";
/// Tokens used, as far as providers say.
pub const TOKENS: &str = "model_tokens_total";
/// Millionths of a US dollar spent, as far as known.
pub const COST: &str = "model_cost_microdollars_total";
/// Results that the offline rules made in a model's place, by reason.
pub const FALLBACKS: &str = "model_fallbacks_total";

/// Registers help texts and units with the installed recorder.
pub fn describe() {
    describe_counter!(CALLS, "Calls of models, by how they ended");
    describe_histogram!(DURATION, Unit::Seconds, "Time a call of a model took");
    describe_counter!(TOKENS, "Tokens used, as far as providers say");
    describe_counter!(COST, "Millionths of a US dollar spent on models, as far as known");
    describe_counter!(FALLBACKS, "Results that the offline rules made in a model's place, by reason");
}

pub(crate) fn model_call(step: TriageStep, call: &ModelCall, took: Duration) {
    let labels = || [("provider", call.provider.clone()), ("model", call.model.clone())];
    let outcome = call.error.map_or("answered", FallbackReason::as_str);
    let [provider, model] = labels();
    counter!(CALLS, &[provider, model, ("step", step.to_string()), ("outcome", outcome.to_owned())])
        .increment(1);
    histogram!(DURATION, &labels()).record(took);
    if let Some(tokens) = call.tokens {
        for (direction, count) in [("input", tokens.input), ("output", tokens.output)] {
            let [provider, model] = labels();
            counter!(TOKENS, &[provider, model, ("direction", direction.to_owned())]).increment(count);
        }
    }
    if let Some(cost) = call.cost {
        counter!(COST, &labels()).increment(millionths(cost));
    }
}

pub(crate) fn fallback(step: TriageStep, reason: FallbackReason) {
    counter!(FALLBACKS, "step" => step.as_str(), "reason" => reason.as_str()).increment(1);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cost is small and not negative"
)]
fn millionths(dollars: f64) -> u64 {
    (dollars * 1e6).round() as u64
}
