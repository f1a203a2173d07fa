//! The step that decides what happens to a ticket: by policy, or by a person whose decision it waits for.
//!
//! A decision that does not come in time raises the ticket's priority, and the step waits on without a deadline. A person
//! may send the draft back. Guarded actions run after a person's approval, each in a visit of the step of its own, so
//! that what is done is durable before the next begins.

mod act;
mod reply;
#[cfg(test)]
mod tests;

use crate::{
    action::{Evidence, Proposals},
    classify::Classify,
    draft::Draft,
    extract::Extract,
    failure,
    provider::offline::{Approval, ApprovalRule, Case, Decision, approval as needed, resolve},
    review::Review,
    settings::{Triage, raised},
};
use serde_json::json;
use sqlx::{Postgres, pool::PoolConnection};
use std::time::Duration;
use ticketflow_engine::{Arrival, Step, StepContext, StepError, StepOutcome, StoreError};
use ticketflow_tickets::{
    approval::{self, Approval as Asked, ApprovalRequest},
    ticket::NewTicket,
    triage::{APPROVAL_ESCALATED, APPROVAL_SIGNAL, Conclusion, ProposedAction, SentBack, TriageStep},
};

/// How often people may have a ticket drafted again.
pub const MOST_REDRAFTS: u16 = 3;
/// Most actions that may be declared, and so be done for one ticket.
pub const MOST_ACTIONS: usize = 10;

/// See the module.
#[derive(Debug)]
pub struct Finalize(pub Triage);

/// What one call works on.
struct Desk<'a> {
    context: &'a StepContext,
    case: Case<'a>,
    proposals: Proposals,
    /// What people asked to be done differently so far.
    instructions: Vec<String>,
}

impl Step for Finalize {
    const NAME: &'static str = TriageStep::Finalize.as_str();
    type Input = (
        NewTicket,
        <Classify as Step>::Output,
        <Extract as Step>::Output,
        <Draft as Step>::Output,
        <Review as Step>::Output,
        Option<Conclusion>,
    );
    type Output = Conclusion;

    async fn run(
        &self,
        context: &StepContext,
        (ticket, classified, extracted, drafted, reviewed, last): Self::Input,
    ) -> Result<StepOutcome<Conclusion>, StepError> {
        let case = Case {
            classification: &classified.result,
            extraction: &extracted.result,
            draft: &drafted.result,
            review: &reviewed.result,
        };
        let (instructions, late) = match last {
            Some(Conclusion::Acting(acting)) => return self.act(context, case, acting).await,
            Some(Conclusion::SentBack(SentBack { instructions, late, .. })) => (instructions, late),
            Some(Conclusion::Resolved(_)) | None => (Vec::new(), false),
        };
        let desk = Desk { context, case, proposals: self.proposals(&ticket, case), instructions };
        match context.arrival() {
            Some(Arrival::Signal(signal)) => match serde_json::from_str(signal.payload.get()) {
                Ok(decision) => self.decided(desk, decision).await,
                Err(error) => {
                    context.note("approval_malformed", json!({ "problem": error.to_string() }));
                    let late = self.is_late(context).await?;
                    self.ask(desk, self.deadline(late)).await
                }
            },
            Some(Arrival::TimedOut) => {
                let priority = raised(case.classification.priority);
                context.note(APPROVAL_ESCALATED, json!({ "priority": priority }));
                self.ask(desk, None).await
            }
            Some(Arrival::Woke) | None => self.ask(desk, self.deadline(late)).await,
        }
    }
}

impl Finalize {
    /// What could be done besides the reply: nothing where nobody would be asked.
    fn proposals(&self, ticket: &NewTicket, case: Case<'_>) -> Proposals {
        let (approval, actions) = (&self.0.policy.review.approval, &self.0.policy.actions);
        if actions.is_empty() || approval.rule(&case.classification.category) == ApprovalRule::Never {
            return Proposals::default();
        }
        actions.propose(&Evidence::new(ticket, case.classification, case.extraction))
    }

    /// Waits for a decision, if one is needed.
    async fn ask(
        &self,
        desk: Desk<'_>,
        timeout: Option<Duration>,
    ) -> Result<StepOutcome<Conclusion>, StepError> {
        let Desk { context, case, proposals, instructions } = desk;
        let reasons = match needed(case, &self.0.policy.review.approval, proposals.actions.len()) {
            // Whoever sent a draft back wants to see the next one.
            Approval::NotNeeded if !instructions.is_empty() => {
                vec!["a person asked for this draft".to_owned()]
            }
            Approval::NotNeeded => {
                let resolution = resolve(case, &self.0.taxonomy, Decision::Policy);
                return Ok(StepOutcome::Next(Conclusion::Resolved(resolution)));
            }
            Approval::Needed(reasons) => reasons,
        };
        let before = self.approved_before(context, &proposals.actions).await?;
        let request = ApprovalRequest {
            draft: case.draft.text.clone(),
            reasons: reasons.into_iter().chain(proposals.lacking).chain(before).collect(),
            actions: proposals.actions,
            redrafts_left: redrafts_left(&instructions),
        };
        let about = serde_json::to_value(request).map_err(|error| {
            StepError::fail("output_not_json", "the request for approval cannot be written as JSON")
                .caused_by(error)
        })?;
        Ok(StepOutcome::Wait { signal: APPROVAL_SIGNAL.to_owned(), timeout, about })
    }

    /// Which of the proposed actions were approved before an operator set the ticket back: they may have been done.
    async fn approved_before(
        &self,
        context: &StepContext,
        proposed: &[ProposedAction],
    ) -> Result<Vec<String>, StepError> {
        if proposed.is_empty() {
            return Ok(Vec::new());
        }
        let requests = approval::of_ticket(&mut *self.connect().await?, context.run_id()).await;
        let requests = requests.map_err(failure::database)?;
        let approved = requests.iter().flat_map(|asked| {
            let approved = asked.actions.iter().filter(|action| asked.approves(action));
            approved.map(move |action| (asked.decided_by.as_deref().unwrap_or("somebody"), action))
        });
        let again = approved.filter(|(_, action)| proposed.iter().any(|next| next.name == action.name));
        let said = again.map(|(by, ProposedAction { name, parameters, .. })| {
            let parameters = json!(parameters);
            format!("{name} was approved before, by {by}, with {parameters}: look up whether it was done")
        });
        Ok(said.collect())
    }

    /// Only for a ticket that was escalated is a decision asked for without a deadline.
    fn deadline(&self, late: bool) -> Option<Duration> {
        (!late).then_some(self.0.policy.approval_deadline)
    }

    /// Whether the ticket was escalated before it was decided on.
    async fn is_late(&self, context: &StepContext) -> Result<bool, StepError> {
        Ok(self.asked(context).await?.is_some_and(|asked| asked.deadline.is_none()))
    }

    /// The request that was decided on, or is being waited on.
    async fn asked(&self, context: &StepContext) -> Result<Option<Asked>, StepError> {
        approval::get(&mut *self.connect().await?, context.run_id()).await.map_err(failure::database)
    }

    async fn connect(&self) -> Result<PoolConnection<Postgres>, StepError> {
        self.0.pool.acquire().await.map_err(|error| {
            failure::database(StoreError::database("connect to read the request for approval")(error))
        })
    }
}

/// How often people may still have a ticket drafted again.
fn redrafts_left(instructions: &[String]) -> u16 {
    MOST_REDRAFTS.saturating_sub(u16::try_from(instructions.len()).unwrap_or(u16::MAX))
}
