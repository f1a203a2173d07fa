//! Owns the account of who made a result, with what and at what cost: it stands beside every result.

use crate::word::closed_words;
use serde::{Deserialize, Serialize};

/// Who made a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AiAccount {
    /// Whether the provider of choice made it.
    pub ai_status: AiStatus,
    /// Provider that made it.
    pub provider: String,
    /// Model that made it.
    pub model: String,
    /// Hash or version of the prompt or rules.
    pub prompt_version: String,
    /// Tokens used; none when the provider does not say.
    pub tokens: Option<Tokens>,
    /// Cost in US dollars; none when unknown.
    pub cost: Option<f64>,
    /// Why the provider of choice did not make it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackReason>,
    /// The calls of models that led to it or to the fallback, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ModelCall>,
}

impl AiAccount {
    /// Tokens and cost of all calls together; each is none as soon as it is unknown for one.
    pub fn totals(calls: &[ModelCall]) -> (Option<Tokens>, Option<f64>) {
        let answered = || calls.iter().filter(|call| call.error.is_none());
        let tokens = answered().map(|call| call.tokens).sum();
        let cost = answered().map(|call| call.cost).sum();
        (tokens, cost)
    }
}

/// One call of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCall {
    /// Provider that was asked.
    pub provider: String,
    /// Model that was asked.
    pub model: String,
    /// Prompt and hash of its text, as `classify@5f0a…`; `classify.b@…` for the second variant.
    pub prompt: String,
    /// How the answer's form was asked for: `json_schema`, `json_object` or `prompt`.
    pub format: String,
    /// Attempt of the step that made it, from 1.
    pub attempt: i32,
    /// It asked to mend the answer before it.
    pub repair: bool,
    /// Its answer had been kept from an attempt that did not come to its end, or from an earlier visit of the step, which
    /// has paid for it: then tokens and cost are nothing.
    pub reused: bool,
    /// Tokens used; none when the provider does not say, or did not answer.
    pub tokens: Option<Tokens>,
    /// Version of the price table that the cost rests on.
    pub price_version: Option<String>,
    /// Cost in US dollars; none when tokens or prices are unknown.
    pub cost: Option<f64>,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// Why there was no answer.
    pub error: Option<FallbackReason>,
}

closed_words! {
    /// Whether the provider of choice made a result.
    AiStatus {
        /// It did.
        Done => "done",
        /// It could not; the offline rules did.
        Fallback => "fallback",
    }
}

closed_words! {
    /// Why a model did not answer, or its answer was of no use.
    FallbackReason {
        /// The answer did not come in time.
        TimedOut => "timed_out",
        /// No connection, or it was cut off.
        Unreachable => "unreachable",
        /// The server failed.
        ServerError => "server_error",
        /// Too many requests, longer than is waited.
        RateLimited => "rate_limited",
        /// What was paid for is used up.
        QuotaExhausted => "quota_exhausted",
        /// The key is missing, wrong or not allowed to.
        Unauthorized => "unauthorized",
        /// The provider does not know the model, or the address is wrong.
        NotFound => "not_found",
        /// The address leads elsewhere.
        Redirected => "redirected",
        /// The provider refuses the request as such.
        RequestRefused => "request_refused",
        /// The answer is longer than is read.
        TooLarge => "too_large",
        /// The answer is not of the protocol.
        BadResponse => "bad_response",
        /// The model declined to answer.
        Declined => "declined",
        /// The answer did not fit, and neither did the second one.
        InvalidAnswer => "invalid_answer",
        /// The model failed too often and is not asked for a while.
        BreakerOpen => "breaker_open",
        /// The day's budget is spent.
        DayBudget => "day_budget",
        /// The ticket's budget is spent.
        TicketBudget => "ticket_budget",
        /// The step's time was up.
        OutOfTime => "out_of_time",
        /// Personal data could not be taken out of the request, so it did not leave.
        NotRedacted => "not_redacted",
    }
}

/// Tokens of one or more model calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Read.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Of those read, the ones that were cached; none when unknown.
    pub cached: Option<u64>,
}

impl std::ops::Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let cached = self.cached.zip(other.cached).map(|(one, other)| one.saturating_add(other));
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cached: cached.or(self.cached).or(other.cached),
        }
    }
}

impl std::iter::Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(tokens: I) -> Self {
        tokens.fold(Self::default(), std::ops::Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tokens: Option<u64>, cost: Option<f64>, error: Option<FallbackReason>) -> ModelCall {
        let tokens = tokens.map(|input| Tokens { input, output: 1, cached: None });
        let prompt = "classify@0".to_owned();
        ModelCall {
            provider: "p".into(),
            model: "m".into(),
            prompt,
            format: "prompt".into(),
            attempt: 1,
            repair: false,
            reused: false,
            tokens,
            price_version: None,
            cost,
            latency_ms: 1,
            error,
        }
    }

    #[test]
    fn totals_are_known_if_every_answers_part_is() {
        let unanswered = call(None, None, Some(FallbackReason::TimedOut));
        let (tokens, cost) = AiAccount::totals(&[call(Some(3), Some(0.5), None), unanswered.clone()]);
        assert_eq!((tokens, cost), (Some(Tokens { input: 3, output: 1, cached: None }), Some(0.5)));
        let (tokens, cost) = AiAccount::totals(&[call(Some(3), None, None), call(None, Some(0.5), None)]);
        assert_eq!((tokens, cost), (None, None));
    }

    #[test]
    fn an_account_without_calls_is_read_as_it_was_written_before_there_were_any() {
        let before = r#"{"ai_status":"done","provider":"offline","model":"rules","prompt_version":"classify@1",
            "tokens":null,"cost":0.0}"#;
        let account: AiAccount = serde_json::from_str(before).unwrap();
        assert!(account.calls.is_empty() && account.fallback.is_none());
        assert!(!serde_json::to_string(&account).unwrap().contains("calls"));
    }
}
