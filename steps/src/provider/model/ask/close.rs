//! How a question ends: with a result, with the offline rules, or with another attempt.

use super::{
    super::error::{Course, Trouble},
    Asked, Conversation, Stop,
};
use crate::{failure, observe};
use serde_json::json;
use std::time::Duration;
use ticketflow_engine::StepError;
use ticketflow_tickets::{
    model::{Usage, usage::Asked as Named},
    triage::{AiAccount, AiStatus, FallbackReason},
};

impl Conversation<'_> {
    /// Says what follows from a result, or from the reason why there is none.
    pub(super) async fn close<R>(self, result: Result<R, Stop>) -> Result<Asked<R>, StepError> {
        let trouble = match result {
            Ok(result) => return Ok(self.answered(result).await),
            Err(Stop::Later(wait)) => {
                let jitter = Duration::from_secs(1).mul_f64(self.context.random_fraction());
                return Ok(Asked::Later(wait + jitter));
            }
            Err(Stop::Ledger(error)) => return Err(failure::database(error)),
            Err(Stop::Trouble(trouble)) => trouble,
        };
        let attempts = i32::try_from(self.model.provider.settings.attempts).unwrap_or(i32::MAX);
        let may_retry = self.context.attempt() < attempts && !self.context.is_last_attempt();
        match trouble.course(may_retry) {
            Course::Retry(pause) => Err(self.retry(trouble, pause)),
            Course::FallBack(reason) => Ok(self.fall_back(reason).await),
        }
    }

    async fn answered<R>(self, result: R) -> Asked<R> {
        let repaired = self.unfit.is_some();
        self.count(Usage {
            accepted: u32::from(!repaired),
            repaired: u32::from(repaired),
            ..Usage::default()
        })
        .await;
        let (tokens, cost) = AiAccount::totals(&self.calls);
        let Named { provider, model, prompt } = self.named();
        let account = AiAccount {
            ai_status: AiStatus::Done,
            provider: provider.to_owned(),
            model: model.to_owned(),
            prompt_version: prompt.to_owned(),
            tokens,
            cost,
            fallback: None,
            calls: self.calls,
        };
        Asked::Answered(result, account)
    }

    async fn fall_back<R>(self, reason: FallbackReason) -> Asked<R> {
        self.count(Usage { fallbacks: 1, ..Usage::default() }).await;
        observe::fallback(self.model.step, reason);
        let Named { provider, model, .. } = self.named();
        let (run, step) = (self.context.run_id(), self.model.step.as_str());
        tracing::warn!(
            run.id = %run, step.name = step, provider, model, reason = reason.as_str(),
            "done by the offline rules in the model's place"
        );
        Asked::Unanswered(reason, self.calls)
    }

    /// An attempt to be repeated: the engine waits, and keeps the reason in the log.
    fn retry(&self, trouble: Trouble, pause: Option<Duration>) -> StepError {
        let Named { provider, model, prompt } = self.named();
        let (reason, message) = match trouble {
            Trouble::Call(error) => (error.reason(), error.to_string()),
            Trouble::Final(reason) => (reason, reason.to_string()),
        };
        let failed = StepError::retry(&format!("model_{reason}"), message).with_details(
            json!({ "provider": provider, "model": model, "prompt": prompt, "calls": self.calls }),
        );
        match pause {
            Some(pause) => failed.after(pause),
            None => failed,
        }
    }
}
