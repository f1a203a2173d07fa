//! The step that checks a draft, and sends it back to be drafted again while that may help.

mod task;

use crate::{
    classify::Classify,
    draft::Draft,
    extract::Extract,
    failure,
    knowledge::FoundArticles,
    provider::offline::{Message, ReviewRequest},
    research::Research,
    settings::{Making, Triage},
};
use task::ReviewTask;
use ticketflow_engine::{Step, StepContext, StepError, StepOutcome};
use ticketflow_tickets::{
    ticket::NewTicket,
    triage::{Made, Review as Judgement, TriageStep, Verdict},
};

/// How often a draft may be sent back.
pub const MOST_REVISIONS: u32 = 2;

/// See the module.
#[derive(Debug)]
pub struct Review(pub Triage);

impl Step for Review {
    const NAME: &'static str = TriageStep::Review.as_str();
    type Input = (
        NewTicket,
        <Classify as Step>::Output,
        <Extract as Step>::Output,
        <Research as Step>::Output,
        <Draft as Step>::Output,
    );
    type Output = Made<Judgement>;

    async fn run(
        &self,
        context: &StepContext,
        (ticket, classified, extracted, research, drafted): Self::Input,
    ) -> Result<StepOutcome<Self::Output>, StepError> {
        let found = FoundArticles::of(&self.0.library, &research).await.map_err(failure::database)?;
        let request = ReviewRequest {
            message: Message::from(&ticket),
            classification: &classified.result,
            extraction: &extracted.result,
            research: &research,
            articles: &found.contents(),
            draft: &drafted.result,
            policy: &self.0.policy.review,
        };
        Ok(match self.0.make(context, &ReviewTask { triage: &self.0, request }).await? {
            Making::Made(made) => outcome(context, made),
            Making::Later(pause) => StepOutcome::Sleep(pause),
        })
    }
}

/// Sends a draft back as often as that is allowed; then a person looks at it.
fn outcome(context: &StepContext, mut made: Made<Judgement>) -> StepOutcome<Made<Judgement>> {
    if made.result.verdict != Verdict::Revise {
        return StepOutcome::Next(made);
    }
    if context.visits(Draft::NAME) <= MOST_REVISIONS {
        return StepOutcome::GoTo(Draft::NAME, made);
    }
    made.result.verdict = Verdict::Human;
    StepOutcome::Next(made)
}
