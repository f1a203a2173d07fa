//! The step that decides what happens to a ticket: by policy, or by a person whose decision it waits for.
//!
//! A decision that does not come in time raises the ticket's priority, and the step waits on without a deadline.

use crate::{
    classify::Classify,
    draft::Draft,
    extract::Extract,
    failure,
    provider::offline::{Approval, Case, Decision, approval as needed, resolve},
    review::Review,
    settings::{Triage, raised},
};
use serde_json::json;
use std::time::Duration;
use ticketflow_engine::{Arrival, Step, StepContext, StepError, StepOutcome, StoreError};
use ticketflow_tickets::{
    approval::{self, ApprovalDecision, ApprovalRequest},
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
                Ok(decision) => {
                    let late = self.is_late(context).await?;
                    Ok(StepOutcome::Next(self.decided(case, decision, late)))
                }
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
        let reasons = match needed(case, &self.0.policy.review.approval) {
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

    fn decided(&self, case: Case<'_>, decision: ApprovalDecision, late: bool) -> Resolution {
        let ApprovalDecision { approved, decided_by: by, edited_response, .. } = decision;
        let decision = if approved {
            let edited_response = edited_response.filter(|text| !text.trim().is_empty());
            Decision::Approved { by, edited_response }
        } else {
            Decision::Refused { by }
        };
        let mut resolution = resolve(case, &self.0.taxonomy, decision);
        if late {
            resolution.routing.priority = raised(resolution.routing.priority);
        }
        resolution
    }

    /// Whether the decision came after the ticket was escalated: only then was it asked for without a deadline.
    async fn is_late(&self, context: &StepContext) -> Result<bool, StepError> {
        let mut connection = self.0.pool.acquire().await.map_err(|error| {
            failure::database(StoreError::database("connect to read the request for approval")(error))
        })?;
        let asked = approval::get(&mut connection, context.run_id()).await.map_err(failure::database)?;
        Ok(asked.is_some_and(|asked| asked.deadline.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TriagePolicy;
    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use sqlx::postgres::PgPoolOptions;
    use ticketflow_engine::RunId;
    use ticketflow_tickets::{
        taxonomy::{Priority, Taxonomy},
        triage::Action,
    };

    fn read<T: DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).unwrap()
    }

    fn found(issue: &str) -> <Finalize as Step>::Input {
        let classified = json!({
            "category": "technical", "confidence": 0.9, "priority": "medium", "sentiment_score": 5, "language": "en",
            "reasons": [], "needs_review": false,
        });
        let extracted = json!({
            "order_id": null, "order_ids": [], "invoice_ids": [], "product": null, "amounts": [], "dates": [],
            "emails": [], "phones": [], "error_codes": [], "versions": [], "urls": [], "issue_type": issue, "asks": [],
        });
        let drafted = json!({
            "text": "Try this.", "language": "en", "cited_articles": [], "action": "reply", "template": "en/reply.md",
            "revision": 0,
        });
        let reviewed = json!({ "verdict": "approve", "score": 0.9, "notes": [], "policy_violations": [] });
        (read(classified), read(extracted), read(drafted), read(reviewed))
    }

    fn step() -> Finalize {
        let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@localhost/nothing").unwrap();
        Finalize(Triage::new(Taxonomy::built_in().unwrap(), None, TriagePolicy::default(), pool).unwrap())
    }

    fn context() -> StepContext {
        StepContext::detached(RunId::from_uuid(uuid::Uuid::nil()), Finalize::NAME)
    }

    #[tokio::test]
    async fn what_is_harmless_is_decided_by_the_policy() {
        let outcome = step().run(&context(), found("slow")).await.unwrap();
        let StepOutcome::Next(resolution) = outcome else { panic!("{outcome:?}") };
        assert_eq!((resolution.action, resolution.routing.team.as_str()), (Action::Reply, "technical"));
        assert_eq!(resolution.final_response.as_deref(), Some("Try this."));
    }

    #[tokio::test]
    async fn what_touches_money_waits_for_a_person_until_the_deadline() {
        let outcome = step().run(&context(), found("refund_request")).await.unwrap();
        let StepOutcome::Wait { signal, timeout, about } = outcome else { panic!("{outcome:?}") };
        assert_eq!((signal.as_str(), timeout), ("approval", Some(Duration::from_hours(24))));
        let about: ApprovalRequest = read(about);
        assert_eq!((about.draft.as_str(), about.reasons.len()), ("Try this.", 1));
    }

    #[tokio::test]
    async fn a_person_may_approve_edit_or_take_over() {
        let (classified, extracted, drafted, reviewed) = found("refund_request");
        let case = Case {
            classification: &classified.result,
            extraction: &extracted.result,
            draft: &drafted.result,
            review: &reviewed.result,
        };
        let decide = |approved: bool, edited: &str| {
            let decision = ApprovalDecision {
                approved,
                decided_by: "ada".into(),
                reason: None,
                edited_response: Some(edited.into()),
            };
            step().decided(case, decision, false)
        };
        assert_eq!(decide(true, "Mine.").final_response.as_deref(), Some("Mine."));
        assert_eq!(decide(true, " ").final_response.as_deref(), Some("Try this."));
        let refused = decide(false, "Mine.");
        assert_eq!((refused.final_response, refused.action), (None, Action::Handoff));
        assert_eq!(refused.routing.priority, Priority::Medium);
        let approved = ApprovalDecision {
            approved: true,
            decided_by: "ada".into(),
            reason: None,
            edited_response: None,
        };
        assert_eq!(step().decided(case, approved, true).routing.priority, Priority::High);
    }
}
