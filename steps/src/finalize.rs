//! The step that decides what happens to a ticket: by policy, or by a person whose decision it waits for.
//!
//! A decision that does not come in time raises the ticket's priority, and the step waits on without a deadline.

use crate::{
    classify::Classify,
    draft::Draft,
    extract::Extract,
    provider::offline::{Approval, Case, Decision, approval, resolve},
    review::Review,
    settings::{Triage, raised},
};
use chrono::TimeDelta;
use serde_json::json;
use std::time::Duration;
use ticketflow_engine::{Arrival, Step, StepContext, StepError, StepOutcome};
use ticketflow_tickets::{
    approval::{ApprovalDecision, ApprovalRequest},
    triage::{APPROVAL_ESCALATED, APPROVAL_SIGNAL, Resolution, TriageStep},
};

/// See the module.
#[derive(Debug)]
pub struct Finalize(pub Triage);

impl Step for Finalize {
    const NAME: &'static str = TriageStep::Finalize.as_str();
    type Input = (
        <Classify as Step>::Output,
        <Extract as Step>::Output,
        <Draft as Step>::Output,
        <Review as Step>::Output,
    );
    type Output = Resolution;

    async fn run(
        &self,
        context: &StepContext,
        (classified, extracted, drafted, reviewed): Self::Input,
    ) -> Result<StepOutcome<Resolution>, StepError> {
        let case = Case {
            classification: &classified.result,
            extraction: &extracted.result,
            draft: &drafted.result,
            review: &reviewed.result,
        };
        match context.arrival() {
            Some(Arrival::Signal(signal)) => match serde_json::from_str(signal.payload.get()) {
                Ok(decision) => Ok(StepOutcome::Next(self.decided(context, case, decision))),
                Err(error) => {
                    context.note("approval_malformed", json!({ "problem": error.to_string() }));
                    self.ask(case, Some(self.0.policy.approval_deadline))
                }
            },
            Some(Arrival::TimedOut) => {
                let priority = raised(case.classification.priority);
                context.note(APPROVAL_ESCALATED, json!({ "priority": priority }));
                self.ask(case, None)
            }
            Some(Arrival::Woke) | None => self.ask(case, Some(self.0.policy.approval_deadline)),
        }
    }
}

impl Finalize {
    /// Waits for a decision, if one is needed.
    fn ask(&self, case: Case<'_>, timeout: Option<Duration>) -> Result<StepOutcome<Resolution>, StepError> {
        let reasons = match approval(case, &self.0.policy.review.approval) {
            Approval::NotNeeded => {
                return Ok(StepOutcome::Next(resolve(case, &self.0.taxonomy, Decision::Policy)));
            }
            Approval::Needed(reasons) => reasons,
        };
        let request = ApprovalRequest { draft: case.draft.text.clone(), reasons };
        let about = serde_json::to_value(request).map_err(|error| {
            StepError::fail("output_not_json", "the request for approval cannot be written as JSON")
                .caused_by(error)
        })?;
        Ok(StepOutcome::Wait { signal: APPROVAL_SIGNAL.to_owned(), timeout, about })
    }

    fn decided(&self, context: &StepContext, case: Case<'_>, decision: ApprovalDecision) -> Resolution {
        let ApprovalDecision { approved, decided_by: by, edited_response, .. } = decision;
        let decision = if approved {
            let edited_response = edited_response.filter(|text| !text.trim().is_empty());
            Decision::Approved { by, edited_response }
        } else {
            Decision::Refused { by }
        };
        let mut resolution = resolve(case, &self.0.taxonomy, decision);
        if self.is_late(context) {
            resolution.routing.priority = raised(resolution.routing.priority);
        }
        resolution
    }

    /// Whether the decision came after the ticket was escalated. The step has no memory of that but the time.
    fn is_late(&self, context: &StepContext) -> bool {
        let deadline = TimeDelta::from_std(self.0.policy.approval_deadline).unwrap_or(TimeDelta::MAX);
        context.now().signed_duration_since(context.created_at()) >= deadline
    }
}
