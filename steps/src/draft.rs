//! The step that drafts a reply from the evidence. Nobody sends it: it is a proposal.

mod task;

use crate::{
    classify::Classify,
    extract::Extract,
    failure,
    knowledge::FoundArticles,
    provider::offline::{DraftRequest, Message},
    research::Research,
    review::Review,
    settings::{Making, Triage},
};
use task::DraftTask;
use ticketflow_engine::{Step, StepContext, StepError, StepOutcome};
use ticketflow_tickets::{
    ticket::NewTicket,
    triage::{Conclusion, Draft as Proposal, Made, SentBack, TriageStep},
};

/// See the module.
#[derive(Debug)]
pub struct Draft(pub Triage);

impl Step for Draft {
    const NAME: &'static str = TriageStep::Draft.as_str();
    type Input = (
        NewTicket,
        <Classify as Step>::Output,
        <Extract as Step>::Output,
        <Research as Step>::Output,
        Option<Made<Proposal>>,
        Option<<Review as Step>::Output>,
        Option<Conclusion>,
    );
    type Output = Made<Proposal>;

    async fn run(
        &self,
        context: &StepContext,
        (ticket, classified, extracted, research, last, review, conclusion): Self::Input,
    ) -> Result<StepOutcome<Self::Output>, StepError> {
        let found = FoundArticles::of(&self.0.library, &research).await.map_err(failure::database)?;
        let request = DraftRequest {
            message: Message::from(&ticket),
            classification: &classified.result,
            extraction: &extracted.result,
            research: &research,
            articles: &found.contents(),
            review_notes: &notes(review, conclusion),
            revision: last.as_ref().map_or(0, |last| last.result.revision + 1),
        };
        let last = last.as_ref().map(|last| last.result.text.as_str());
        Ok(match self.0.make(context, &DraftTask { triage: &self.0, request, last }).await? {
            Making::Made(made) => StepOutcome::Next(made),
            Making::Later(pause) => StepOutcome::Sleep(pause),
        })
    }
}

/// What to do differently: what people asked for, then what the review did.
fn notes(review: Option<<Review as Step>::Output>, conclusion: Option<Conclusion>) -> Vec<String> {
    let mut notes = match conclusion {
        Some(Conclusion::SentBack(SentBack { instructions, .. })) => instructions,
        Some(Conclusion::Resolved(_) | Conclusion::Acting(_)) | None => Vec::new(),
    };
    notes.extend(review.into_iter().flat_map(|review| review.result.notes));
    notes
}
