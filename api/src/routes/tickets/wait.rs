//! Waiting for a ticket on behalf of a client that prefers one answer to many questions.

use super::show::load;
use crate::{problem::Problem, state::ApiState};
use std::time::Duration;
use ticketflow_engine::RunId;
use ticketflow_tickets::ticket::{Ticket, TicketStatus};
use tokio::time::Instant;

/// First pause between two looks; it grows, for a ticket that takes long may take longer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The ticket once nothing more happens to it without a person, or as it stands when `patience` or the server ends.
pub(super) async fn settled(state: &ApiState, id: RunId, patience: Duration) -> Result<Ticket, Problem> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let ticket = load(state, id).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if is_settled(ticket.status) || left.is_zero() || state.shutdown.is_cancelled() {
            return Ok(ticket);
        }
        let nap = tokio::time::sleep(pause.min(left));
        state.shutdown.run_until_cancelled(nap).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

const fn is_settled(status: TicketStatus) -> bool {
    match status {
        TicketStatus::Completed
        | TicketStatus::FailedPermanent
        | TicketStatus::Cancelled
        | TicketStatus::AwaitingApproval
        | TicketStatus::Paused => true,
        TicketStatus::Pending | TicketStatus::Processing => false,
    }
}
