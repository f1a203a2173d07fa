//! The step that takes out of a ticket what it names and asks for.

use crate::{
    classify::Classify,
    mentions::mentions,
    provider::offline::Message,
    settings::{Triage, offline_account},
};
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
        _context: &StepContext,
        (ticket, classified): Self::Input,
    ) -> Result<StepOutcome<Self::Output>, StepError> {
        let message = Message::from(&ticket);
        let mut found = self.0.offline.extract(message, &classified.result.category);
        found.mentions = mentions(message, &found);
        Ok(StepOutcome::Next(Made::new(found, offline_account(TriageStep::Extract))))
    }
}
