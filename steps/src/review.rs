//! The step that checks a draft, and sends it back to be drafted again while that may help.

use crate::{
    classify::Classify,
    draft::Draft,
    extract::Extract,
    failure,
    knowledge::FoundArticles,
    provider::offline::{Message, ReviewRequest},
    research::Research,
    settings::{Triage, offline_account},
};
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
        let mut judgement = self.0.offline.review(&ReviewRequest {
            message: Message::from(&ticket),
            classification: &classified.result,
            extraction: &extracted.result,
            research: &research,
            articles: &found.contents(),
            draft: &drafted.result,
            policy: &self.0.policy.review,
        });
        let sends_back =
            judgement.verdict == Verdict::Revise && context.visits(Draft::NAME) <= MOST_REVISIONS;
        if judgement.verdict == Verdict::Revise && !sends_back {
            judgement.verdict = Verdict::Human;
        }
        let made = Made::new(judgement, offline_account(TriageStep::Review));
        Ok(if sends_back { StepOutcome::GoTo(Draft::NAME, made) } else { StepOutcome::Next(made) })
    }
}
