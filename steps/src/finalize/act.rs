//! Guarded actions on their way: one a visit, each only if the request that a person approved says so.

use super::Finalize;
use crate::{
    action::{Answered, Call},
    provider::offline::Case,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use ticketflow_engine::{RunId, Step as _, StepContext, StepError, StepOutcome};
use ticketflow_tickets::triage::{Acting, ActionOutcome, ActionStatus, Conclusion, ProposedAction};

impl Finalize {
    /// Does the next of the approved actions.
    pub(super) async fn act(
        &self,
        context: &StepContext,
        case: Case<'_>,
        mut acting: Acting,
    ) -> Result<StepOutcome<Conclusion>, StepError> {
        if acting.left.is_empty() {
            return self.over(case, acting).await;
        }
        let next = acting.left.remove(0);
        self.check_approved(context, &next).await?;
        let outcome = self.call(context, &acting.approved_by, &next).await?;
        acting.outcomes.push(outcome);
        if acting.left.is_empty() {
            return self.over(case, acting).await;
        }
        Ok(StepOutcome::GoTo(Self::NAME, Conclusion::Acting(acting)))
    }

    /// A checkpoint can be put there by an operator; a person's approval cannot.
    async fn check_approved(&self, context: &StepContext, next: &ProposedAction) -> Result<(), StepError> {
        if self.asked(context).await?.is_some_and(|asked| asked.approves(next)) {
            return Ok(());
        }
        Err(StepError::fail("not_approved", format!("nobody approved {} with these parameters", next.name)))
    }

    async fn call(
        &self,
        context: &StepContext,
        approved_by: &str,
        proposal: &ProposedAction,
    ) -> Result<ActionOutcome, StepError> {
        let ticket = context.run_id();
        let key = key(ticket, proposal);
        let attempt = u32::try_from(context.attempt()).unwrap_or(1);
        let is_last = context.is_last_attempt();
        let call = Call { proposal, ticket, approved_by, key, attempt, is_last };
        match self.0.policy.actions.call(&call).await {
            Some(Answered::Settled(outcome)) => Ok(outcome),
            Some(Answered::Again { problem, after }) => {
                let error = StepError::retry("action_failed", format!("{}: {problem}", proposal.name));
                Err(match after {
                    Some(delay) => error.after(delay),
                    None => error,
                })
            }
            None => Ok(uncalled(proposal, ActionStatus::Failed, Some("it is declared no longer"))),
        }
    }
}

/// Not the step's own key: whatever leads to a second visit, the action is done once for a ticket. With other parameters it
/// is another action, which a receiver that knows the key would not do.
pub(super) fn key(ticket: RunId, action: &ProposedAction) -> String {
    let mut parameters = Value::Object(action.parameters.clone());
    parameters.sort_all_objects();
    let hash = Sha256::digest(parameters.to_string());
    format!("{ticket}/{}/{}", action.name, hex::encode(&hash[..16]))
}

/// What is to be done, and what whoever approved the reply left out. `approved` are names; none: all.
pub(super) fn split(
    shown: Vec<ProposedAction>,
    approved: Option<&[String]>,
) -> (Vec<ProposedAction>, Vec<ActionOutcome>) {
    let is_approved = |action: &ProposedAction| action.is_among(approved);
    let (left, declined): (Vec<_>, Vec<_>) = shown.into_iter().partition(is_approved);
    let declined = declined.iter().map(|action| uncalled(action, ActionStatus::Declined, None));
    (left, declined.collect())
}

fn uncalled(action: &ProposedAction, status: ActionStatus, reason: Option<&str>) -> ActionOutcome {
    ActionOutcome {
        name: action.name.clone(),
        parameters: action.parameters.clone(),
        status,
        idempotency_key: None,
        http_status: None,
        response: None,
        reason: reason.map(str::to_owned),
    }
}
