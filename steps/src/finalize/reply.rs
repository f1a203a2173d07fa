//! What a person's decision leads to.

use super::{Desk, Finalize, act::split, redrafts_left};
use crate::{
    draft::Draft,
    provider::offline::{Case, Decision, resolve},
    settings::raised,
};
use serde_json::json;
use ticketflow_engine::{Step as _, StepError, StepOutcome};
use ticketflow_tickets::{
    approval::{ApprovalDecision, ApprovalStatus},
    triage::{Acting, Conclusion, Resolution, Rewrite, SentBack},
};

impl Finalize {
    /// Takes a decision up.
    pub(super) async fn decided(
        &self,
        desk: Desk<'_>,
        decision: ApprovalDecision,
    ) -> Result<StepOutcome<Conclusion>, StepError> {
        let by = decision.decided_by.clone();
        match decision.status() {
            ApprovalStatus::Approved => self.approved(desk, decision).await,
            ApprovalStatus::SentBack => self.sent_back(desk, decision).await,
            ApprovalStatus::Rejected
            | ApprovalStatus::Pending
            | ApprovalStatus::Expired
            | ApprovalStatus::Superseded => {
                let late = self.is_late(desk.context).await?;
                let resolution = resolve(desk.case, &self.0.taxonomy, Decision::Refused { by });
                Ok(StepOutcome::Next(Conclusion::Resolved(escalated(resolution, late))))
            }
        }
    }

    async fn approved(
        &self,
        desk: Desk<'_>,
        decision: ApprovalDecision,
    ) -> Result<StepOutcome<Conclusion>, StepError> {
        let asked = self.asked(desk.context).await?;
        let late = asked.as_ref().is_some_and(|asked| asked.deadline.is_none());
        // What whoever decided was shown, whatever is declared by now.
        let shown = asked.map(|asked| asked.actions).unwrap_or_default();
        let (left, outcomes) = split(shown, decision.actions.as_deref());
        let edited = decision.edited_response.filter(|text| !text.trim().is_empty());
        let response = edited.unwrap_or_else(|| desk.case.draft.text.clone());
        let acting = Acting { approved_by: decision.decided_by, response, late, left, outcomes };
        if acting.left.is_empty() {
            return self.over(desk.case, acting).await;
        }
        Ok(StepOutcome::GoTo(Self::NAME, Conclusion::Acting(acting)))
    }

    async fn sent_back(
        &self,
        desk: Desk<'_>,
        decision: ApprovalDecision,
    ) -> Result<StepOutcome<Conclusion>, StepError> {
        let late = self.is_late(desk.context).await?;
        if redrafts_left(&desk.instructions) == 0 {
            desk.context.note("redraft_refused", json!({ "decided_by": decision.decided_by }));
            return self.ask(desk, self.deadline(late)).await;
        }
        let mut instructions = desk.instructions;
        instructions.extend(decision.instructions);
        let sent_back = SentBack { instructions, sent_back_by: decision.decided_by, late };
        Ok(StepOutcome::GoTo(Draft::NAME, Conclusion::SentBack(sent_back)))
    }

    /// Ends the triage of a ticket whose reply was approved.
    pub(super) async fn over(
        &self,
        case: Case<'_>,
        acting: Acting,
    ) -> Result<StepOutcome<Conclusion>, StepError> {
        let Acting { approved_by: by, response, late, outcomes, .. } = acting;
        let rewrite = compared(&case.draft.text, &response).await?;
        let decision = Decision::Approved { by, response, rewrite, actions: outcomes };
        let resolution = escalated(resolve(case, &self.0.taxonomy, decision), late);
        Ok(StepOutcome::Next(Conclusion::Resolved(resolution)))
    }
}

/// A ticket that waited too long for a person goes on with the priority it was given then.
fn escalated(mut resolution: Resolution, late: bool) -> Resolution {
    if late {
        resolution.routing.priority = raised(resolution.routing.priority);
    }
    resolution
}

/// Long texts take their time, which is not the runtime's.
async fn compared(draft: &str, response: &str) -> Result<Rewrite, StepError> {
    let (draft, response) = (draft.to_owned(), response.to_owned());
    let compared = tokio::task::spawn_blocking(move || Rewrite::between(&draft, &response)).await;
    compared
        .map_err(|error| StepError::retry("comparison_ended", "the reply was not compared").caused_by(error))
}
