//! A ticket is classified, read for what it names and asks, researched, answered with a draft, reviewed and finalized.
//!
//! Review may send a draft back; finalize may wait for a person's decision, send the draft back on it, or do what it
//! approved, one action a visit.

use ticketflow_engine::{Definition, DefinitionError, Step, StepPolicy, input, maybe, output};
use ticketflow_steps::{
    Classify, Draft, Extract, Finalize, Research, Review, Triage,
    finalize::{MOST_ACTIONS, MOST_REDRAFTS},
    review::MOST_REVISIONS,
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
    let (last_draft, last_review, last_conclusion) = (maybe::<Draft>, maybe::<Review>, maybe::<Finalize>);
    // A limit counts every way that led to a step: drafts sent back by the review, and by people.
    let (redrafts, acts) = (u32::from(MOST_REDRAFTS), u32::try_from(MOST_ACTIONS).unwrap_or(u32::MAX));
    let default = StepPolicy::default();
    let most_attempts = triage().most_attempts_of_actions().unwrap_or(0);
    let patient = StepPolicy { max_attempts: default.max_attempts.max(most_attempts), ..default };

    Definition::builder::<NewTicket>(WORKFLOW, VERSION)
        .projection(TicketProjection)
        .step(Classify(triage()), ticket())
        .step(Extract(triage()), (ticket(), classified()))
        .step(Research(triage()), (ticket(), classified(), extracted()))
        .step(
            Draft(triage()),
            (
                ticket(),
                classified(),
                extracted(),
                researched(),
                last_draft(),
                last_review(),
                last_conclusion(),
            ),
        )
        .step(Review(triage()), (ticket(), classified(), extracted(), researched(), drafted()))
        .may_go_to(Draft::NAME, MOST_REVISIONS)
        .step_with(
            Finalize(triage()),
            (ticket(), classified(), extracted(), drafted(), reviewed(), last_conclusion()),
            patient,
        )
        .may_go_to(Draft::NAME, MOST_REVISIONS + redrafts)
        .may_go_to(Finalize::NAME, redrafts + acts)
        .build()
}
