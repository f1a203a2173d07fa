//! The step that takes out of a ticket what it names and asks for.

mod task;

use crate::{
    classify::Classify,
    mentions::mentions,
    provider::offline::Message,
    settings::{Making, Triage},
};
use task::ExtractTask;
use ticketflow_engine::{Step, StepContext, StepError, StepOutcome};
use ticketflow_tickets::{
    ticket::NewTicket,
    triage::{Extraction, Made, TriageStep},
};

/// See the module.
#[derive(Debug)]
pub struct Extract(pub Triage);

impl Step for Extract {
    const NAME: &'static str = TriageStep::Extract.as_str();
    type Input = (NewTicket, <Classify as Step>::Output);
    type Output = Made<Extraction>;

    async fn run(
        &self,
        context: &StepContext,
        (ticket, classified): Self::Input,
    ) -> Result<StepOutcome<Self::Output>, StepError> {
        let message = Message::from(&ticket);
        let task = ExtractTask { triage: &self.0, message, category: &classified.result.category };
        Ok(match self.0.make(context, &task).await? {
            Making::Made(mut made) => {
                made.result.mentions = mentions(message, &made.result);
                StepOutcome::Next(made)
            }
            Making::Later(pause) => StepOutcome::Sleep(pause),
        })
    }
}
