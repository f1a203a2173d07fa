//! A ticket is classified, read for what it names and asks, researched, answered with a draft, reviewed and finalized.
//!
//! Review may send a draft back; finalize may wait for a person's decision.

use ticketflow_engine::{Definition, DefinitionError, Step, input, maybe, output};
use ticketflow_steps::{
    Classify, Draft, Extract, Finalize, Research, Review, Triage, review::MOST_REVISIONS,
};
use ticketflow_tickets::{TicketProjection, ticket::NewTicket, triage::WORKFLOW};

/// Grows when steps or their outputs change in a way that runs under way could not follow.
const VERSION: i32 = 1;

/// The workflow.
pub(crate) fn definition(triage: &Triage) -> Result<Definition, DefinitionError> {
    let triage = || triage.clone();
    let ticket = input::<NewTicket>;
    let (classified, extracted) = (output::<Classify>, output::<Extract>);
    let (researched, drafted, reviewed) = (output::<Research>, output::<Draft>, output::<Review>);
    let (last_draft, last_review) = (maybe::<Draft>, maybe::<Review>);

    Definition::builder::<NewTicket>(WORKFLOW, VERSION)
        .projection(TicketProjection)
        .step(Classify(triage()), ticket())
        .step(Extract(triage()), (ticket(), classified()))
        .step(Research(triage()), (ticket(), classified(), extracted()))
        .step(
            Draft(triage()),
            (ticket(), classified(), extracted(), researched(), last_draft(), last_review()),
        )
        .step(Review(triage()), (ticket(), classified(), extracted(), researched(), drafted()))
        .may_go_to(Draft::NAME, MOST_REVISIONS)
        .step(Finalize(triage()), (classified(), extracted(), drafted(), reviewed()))
        .build()
}
