//! What a call cost and how it ended: for the account beside the result, and for the ledger of all processes.

use super::{
    super::{
        chat::{ChatAnswer, ChatRequest, KeptAnswer},
        error::CallError,
        format::Format,
        ledger::Entry,
        price,
    },
    Conversation,
};
use crate::observe;
use std::time::Duration;
use ticketflow_tickets::{
    model::{Observation, RequestHash, StoredAnswer, Usage, nanos, usage::Asked as Named},
    triage::{ModelCall, Tokens},
};

impl Conversation<'_> {
    /// Dollars for what is known of an answer's tokens; none without tokens or prices.
    fn cost(&self, tokens: Option<Tokens>) -> Option<f64> {
        let prices = self.model.provider.settings.prices.as_ref()?;
        Some(prices.models.get(&self.model.settings.model)?.cost(tokens?))
    }

    /// Adds a call to the account of the result.
    pub(super) fn account(&mut self, format: Format, answer: &Result<ChatAnswer, CallError>, took: Duration) {
        let call = match answer {
            Ok(answer) => {
                ModelCall { tokens: answer.tokens, cost: self.cost(answer.tokens), ..self.started(format) }
            }
            Err(error) => ModelCall { error: Some(error.reason()), ..self.started(format) },
        };
        let call = ModelCall { latency_ms: milliseconds(took), ..call };
        observe::model_call(self.model.step, &call, took);
        self.calls.push(call);
    }

    /// Takes an answer that was paid for. It counts where it was made: this visit of the step pays if it did not get as far
    /// as its checkpoint, and another visit that asks the same pays nothing.
    pub(super) fn reuse(&mut self, format: Format, kept: KeptAnswer) -> ChatAnswer {
        let ours = kept.asked_by == self.context.idempotency_key();
        let (tokens, cost) = if ours {
            (kept.answer.tokens, self.cost(kept.answer.tokens))
        } else {
            (Some(Tokens::default()), Some(0.0))
        };
        self.calls.push(ModelCall { reused: true, tokens, cost, ..self.started(format) });
        kept.answer
    }

    fn started(&self, format: Format) -> ModelCall {
        let Named { provider, model, prompt } = self.named();
        let prices = self.model.provider.settings.prices.as_ref();
        ModelCall {
            provider: provider.to_owned(),
            model: model.to_owned(),
            prompt: prompt.to_owned(),
            format: format.word().to_owned(),
            attempt: self.context.attempt(),
            repair: self.unfit.is_some(),
            reused: false,
            tokens: None,
            price_version: prices.map(|prices| prices.version.clone()),
            cost: None,
            latency_ms: 0,
            error: None,
        }
    }

    /// Writes a call into the ledger, its answer with it.
    pub(super) async fn write(
        &self,
        request: &ChatRequest<'_>,
        hash: RequestHash,
        answer: &Result<ChatAnswer, CallError>,
        took: Duration,
    ) {
        let mut usage = Usage { calls: 1, latency_ms: milliseconds(took), ..Usage::default() };
        let mut stored = None;
        let observation = match answer {
            Ok(answer) => {
                usage.tokens = answer.tokens.unwrap_or_default();
                usage.charged_nanos = self.charge(request, answer);
                let answer = KeptAnswer { answer: answer.clone(), asked_by: self.context.idempotency_key() };
                stored = Some(StoredAnswer { answer, charged_nanos: usage.charged_nanos });
                // Also when the breaker was at rest before the call: others may have failed meanwhile.
                Some(Observation::Success)
            }
            Err(error) => {
                usage.failures = 1;
                error.observation()
            }
        };
        let kept = stored.as_ref().map(|stored| (self.context.run_id(), hash, stored));
        let entry = Entry { asked: self.named(), usage, observation, answer: kept };
        let policy = self.model.provider.breaker_policy();
        self.model.ledger.write(entry, self.context.now(), policy).await;
    }

    /// What counts towards budgets: the cost, or what the text's length says where tokens are unknown.
    fn charge(&self, request: &ChatRequest<'_>, answer: &ChatAnswer) -> i64 {
        let estimated = || Tokens {
            input: price::estimate(request.characters()),
            output: price::estimate(answer.text.chars().count()),
            cached: None,
        };
        self.cost(Some(answer.tokens.unwrap_or_else(estimated))).map_or(0, nanos)
    }

    /// Adds to the counts of results.
    pub(super) async fn count(&self, usage: Usage) {
        let entry: Entry<'_, KeptAnswer> =
            Entry { asked: self.named(), usage, observation: None, answer: None };
        let policy = self.model.provider.breaker_policy();
        self.model.ledger.write(entry, self.context.now(), policy).await;
    }
}

fn milliseconds(took: Duration) -> u64 {
    took.as_millis().try_into().unwrap_or(u64::MAX)
}
