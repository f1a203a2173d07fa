//! A run in a worker's hands: its lease, its folded log, and what its definition says about the step it is at.

use crate::{
    Catalog,
    committer::Commit,
    error::IllegalTransition,
    event::{Event, Failure},
    history::History,
    id::StepName,
    retry::StepPolicy,
    step::SqlWork,
    store::{advance::Advance, claim::LeasedRun},
    workflow::Definition,
};
use std::{sync::Arc, time::Duration};

/// Code of a failure: the database takes everything but this result.
const CHECKPOINT_REFUSED: &str = "checkpoint_refused";

/// One run while this worker holds it.
pub(super) struct Held {
    pub(super) lease: LeasedRun,
    pub(super) history: History,
    pub(super) definition: Arc<Definition>,
    pub(super) attempt: i32,
}

/// A step's answer as events, ready to be chained to the log.
pub(super) struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) work: Vec<SqlWork>,
    pub(super) took: Option<Duration>,
}

impl Outcome {
    /// An event that no attempt of a step led to.
    pub(super) fn plain(event: Event) -> Self {
        Self { events: vec![event], work: Vec::new(), took: None }
    }

    /// Nothing to record.
    pub(super) const fn nothing() -> Self {
        Self { events: Vec::new(), work: Vec::new(), took: None }
    }

    /// The database refuses the result itself: the run fails, with the reason and without the result.
    pub(super) fn refused(held: &Held, took: Option<Duration>, problem: &str) -> Self {
        tracing::error!(run.id = %held.lease.id, step.name = %held.history.state.step, problem, "a checkpoint was refused");
        let failure = Failure::new(CHECKPOINT_REFUSED, "the database refuses this step's result")
            .with_details(serde_json::json!({ "problem": problem.replace('\0', "") }));
        Self { events: vec![Event::Failed(failure)], work: Vec::new(), took }
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.events.as_slice(), [Event::Failed(failure)] if failure.code == CHECKPOINT_REFUSED)
    }
}

impl Held {
    /// Takes a leased run in hand. `None`: its definition is not known here.
    pub(super) fn take(mut lease: LeasedRun, catalog: &Catalog) -> Result<Option<Self>, IllegalTransition> {
        let history = History::fold(lease.id, &lease.log)?;
        lease.log = Vec::new();
        let definition = catalog.get(&history.state.definition).cloned();
        let attempt = lease.attempt;
        Ok(definition.map(|definition| Self { lease, history, definition, attempt }))
    }

    pub(super) fn policy(&self) -> StepPolicy {
        self.definition.step(&self.history.state.step).map(|step| step.policy).unwrap_or_default()
    }

    pub(super) fn following(&self) -> Option<StepName> {
        self.definition.following(&self.history.state.step).cloned()
    }

    pub(super) fn jump_refused(&self, target: &StepName) -> Option<Failure> {
        let step = self.definition.step(&self.history.state.step)?;
        let from = &step.name;
        let Some(jump) = step.jumps.iter().find(|jump| jump.target == *target) else {
            return Some(Failure::new("jump_not_allowed", format!("step {from} may not go to {target}")));
        };
        let rounds = self.history.state.rounds.get(target).copied().unwrap_or(0);
        (rounds > jump.limit)
            .then(|| Failure::new("loop_limit", format!("step {from} went to {target} {} times", jump.limit)))
    }

    pub(super) fn commit(&self, advance: Advance, work: Vec<SqlWork>) -> Commit {
        Commit {
            advance,
            definition: self.history.state.definition.clone(),
            work,
            slots: self.lease.slots,
            queue: self.lease.queue.clone(),
            concurrency_key: self.lease.concurrency_key.clone(),
        }
    }
}
