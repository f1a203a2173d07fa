//! The step that tells what a ticket is about, how pressing it is and in which language and mood it was written.

use crate::settings::{Triage, offline_account};
use ticketflow_engine::{Step, StepContext, StepError, StepOutcome};
use ticketflow_tickets::{
    ticket::NewTicket,
    triage::{Classification, Made, TriageStep},
};

/// See the module.
#[derive(Debug)]
pub struct Classify(pub Triage);

impl Step for Classify {
    const NAME: &'static str = TriageStep::Classify.as_str();
    type Input = NewTicket;
    type Output = Made<Classification>;

    async fn run(
        &self,
        _context: &StepContext,
        ticket: NewTicket,
    ) -> Result<StepOutcome<Self::Output>, StepError> {
        let found = self.0.offline.classify_ticket(&ticket);
        Ok(StepOutcome::Next(Made::new(found, offline_account(TriageStep::Classify))))
    }
}
