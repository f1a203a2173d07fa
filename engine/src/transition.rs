//! What an event does to a run. Pure: no clock, no database; effects are returned, never done.
//!
//! The live path and the recovery of a run fold the same function, so they cannot disagree.
//!
//! | phase ↓ / event → | completes, retries, sleeps, waits | signal, time-out | paused | resumed | retried now | migrated | cancelled | failed |
//! |---|---|---|---|---|---|---|---|---|
//! | runnable, backoff, sleeping | ✓ | – | paused | – | runnable (not from runnable) | runnable | cancelled | failed |
//! | waiting | – | runnable | paused | – | – | runnable | cancelled | failed |
//! | paused | – | – | – | as before, or runnable | – | paused | cancelled | – |
//! | finishing | – | – | – | – | – | – | – | – (only `completed`) |
//! | failed, cancelled | – | – | – | runnable | – | – | – | – |
//! | completed | – | – | – | – | – | – | – | – |
//!
//! `noted` and `lease_expired` follow on every phase that a worker may hold, `annotated` on every phase at all.

use crate::{
    error::IllegalTransition,
    event::{Created, Event, SignalReceived},
    id::{DefinitionId, StepName},
    status::{LiveState, RunStatus},
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// What a run is doing, as far as its log tells. Leases are not in the log: a runnable run may be held or not.
#[derive(Debug, Clone)]
pub enum Phase {
    /// The step can run at once.
    Runnable,
    /// The last attempt failed.
    Backoff {
        /// When the next may start.
        until: DateTime<Utc>,
    },
    /// The step asked to be called again later.
    Sleeping {
        /// When.
        until: DateTime<Utc>,
    },
    /// The step asked to be called again when a signal has come.
    Waiting {
        /// Which.
        signal: String,
        /// When to call it all the same.
        until: Option<DateTime<Utc>>,
    },
    /// An operator stopped it.
    Paused {
        /// What it did before.
        before: Box<Phase>,
    },
    /// The last step is done; only the closing event is missing.
    Finishing,
    /// It failed for good.
    Failed,
    /// An operator ended it.
    Cancelled,
    /// It is done.
    Completed,
}

/// What ended a sleep or a wait; given to the step when it is called again.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// The time of a sleep is over.
    Woke,
    /// The signal came.
    Signal(SignalReceived),
    /// It did not come in time.
    TimedOut,
}

/// A run as its log tells it.
#[derive(Debug, Clone)]
pub struct RunState {
    /// Workflow and version it is pinned to.
    pub definition: DefinitionId,
    /// Step that runs, or runs next.
    pub step: StepName,
    /// What it is doing.
    pub phase: Phase,
    /// Failed attempts of this step since it was entered.
    pub failed_attempts: u32,
    /// Workers that died on this step since it was entered.
    pub crashes: i32,
    /// How often each step was completed.
    pub visits: BTreeMap<StepName, u32>,
    /// Numbers of the signals consumed.
    pub consumed: BTreeSet<i32>,
    /// What ended the step's last sleep or wait. Stays over failed attempts, for it comes only once.
    pub arrival: Option<Arrival>,
}

/// What has to be done about the run's live row after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The step may run: by whoever holds the run, else it becomes ready.
    Run,
    /// The run rests in this state.
    Park {
        /// Sleeping, waiting or paused.
        state: LiveState,
        /// When it is woken by time alone.
        wake_at: Option<DateTime<Utc>>,
    },
    /// The run is over: its live row goes.
    Close(RunStatus),
    /// The closing event must follow in the same commit.
    Finish,
}

impl Phase {
    /// The phase's name, for messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Runnable { .. } => "runnable",
            Self::Backoff { .. } => "backing off",
            Self::Sleeping { .. } => "sleeping",
            Self::Waiting { .. } => "waiting",
            Self::Paused { .. } => "paused",
            Self::Finishing => "finishing",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
        }
    }

    /// What the live row must look like for a run in this phase.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Runnable { .. } => Effect::Run,
            Self::Backoff { until } | Self::Sleeping { until } => {
                Effect::Park { state: LiveState::Sleeping, wake_at: Some(*until) }
            }
            Self::Waiting { until, .. } => Effect::Park { state: LiveState::Waiting, wake_at: *until },
            Self::Paused { .. } => Effect::Park { state: LiveState::Paused, wake_at: None },
            Self::Finishing => Effect::Finish,
            Self::Failed => Effect::Close(RunStatus::Failed),
            Self::Cancelled => Effect::Close(RunStatus::Cancelled),
            Self::Completed => Effect::Close(RunStatus::Completed),
        }
    }

    /// Whether a step may be called, now or when its time has come.
    pub(crate) const fn can_run(&self) -> bool {
        matches!(self, Self::Runnable { .. } | Self::Backoff { .. } | Self::Sleeping { .. })
    }

    /// Whether a worker may hold a run in this phase.
    const fn can_be_held(&self) -> bool {
        self.can_run() || matches!(self, Self::Waiting { .. })
    }
}

impl RunState {
    /// The state after the log's first event.
    pub fn start(created: &Created) -> Self {
        Self {
            definition: DefinitionId { workflow: created.workflow.clone(), version: created.version },
            step: created.step.clone(),
            phase: Phase::Runnable,
            failed_attempts: 0,
            crashes: 0,
            visits: BTreeMap::new(),
            consumed: BTreeSet::new(),
            arrival: None,
        }
    }

    /// Whether the run has an outcome.
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Failed | Phase::Cancelled | Phase::Completed)
    }

    fn enter(mut self, step: StepName, phase: Phase) -> Self {
        self.step = step;
        self.failed_attempts = 0;
        self.crashes = 0;
        self.arrival = None;
        self.phase = phase;
        self
    }

    fn arrive(mut self, arrival: Arrival) -> Self {
        self.arrival = Some(arrival);
        self.rest(Phase::Runnable)
    }

    fn rest(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }
}

/// The state after `event`.
///
/// # Errors
/// [`IllegalTransition`] if the event cannot happen to a run in this state.
pub fn transition(state: RunState, event: &Event) -> Result<RunState, IllegalTransition> {
    let refused = IllegalTransition { event: event.kind().as_str(), state: state.phase.name() };
    let phase = &state.phase;
    match event {
        Event::StepCompleted(_) | Event::StepRetried(_) | Event::Slept(_) | Event::Waited(_)
            if phase.can_run() =>
        {
            Ok(advance(state, event))
        }
        Event::SignalReceived(received) => signalled(state, received).ok_or(refused),
        Event::WaitTimedOut(_) if matches!(phase, Phase::Waiting { until: Some(_), .. }) => {
            Ok(state.arrive(Arrival::TimedOut))
        }
        Event::LeaseExpired(expired) if phase.can_be_held() => {
            Ok(RunState { crashes: expired.crashes, ..state })
        }
        Event::Noted(_) if phase.can_be_held() => Ok(state),
        Event::Annotated(_) => Ok(state),
        Event::Completed(_) if matches!(phase, Phase::Finishing) => Ok(state.rest(Phase::Completed)),
        Event::Failed(_) if phase.can_be_held() => Ok(state.rest(Phase::Failed)),
        Event::Paused(_)
        | Event::Resumed(_)
        | Event::RetriedNow(_)
        | Event::Migrated(_)
        | Event::Cancelled(_) => intervene(state, event).ok_or(refused),
        Event::Created(_)
        | Event::StepCompleted(_)
        | Event::StepRetried(_)
        | Event::Slept(_)
        | Event::Waited(_)
        | Event::WaitTimedOut(_)
        | Event::LeaseExpired(_)
        | Event::Noted(_)
        | Event::Completed(_)
        | Event::Failed(_) => Err(refused),
    }
}

/// What a step's outcome does; the phase was checked before.
fn advance(mut state: RunState, event: &Event) -> RunState {
    match event {
        Event::StepCompleted(completed) => {
            *state.visits.entry(state.step.clone()).or_default() += 1;
            match &completed.next {
                Some(next) => state.enter(next.clone(), Phase::Runnable),
                None => state.rest(Phase::Finishing),
            }
        }
        Event::StepRetried(retried) => {
            state.failed_attempts += 1;
            if matches!(state.phase, Phase::Sleeping { .. }) {
                state.arrival = Some(Arrival::Woke);
            }
            state.rest(Phase::Backoff { until: retried.retry_at })
        }
        Event::Slept(slept) => {
            state.arrival = None;
            state.rest(Phase::Sleeping { until: slept.until })
        }
        Event::Waited(waited) => {
            state.arrival = None;
            state.rest(Phase::Waiting { signal: waited.signal.clone(), until: waited.until })
        }
        Event::Created(_)
        | Event::SignalReceived(_)
        | Event::WaitTimedOut(_)
        | Event::LeaseExpired(_)
        | Event::Noted(_)
        | Event::Annotated(_)
        | Event::Paused(_)
        | Event::Resumed(_)
        | Event::RetriedNow(_)
        | Event::Migrated(_)
        | Event::Cancelled(_)
        | Event::Failed(_)
        | Event::Completed(_) => state,
    }
}

fn signalled(mut state: RunState, received: &SignalReceived) -> Option<RunState> {
    let Phase::Waiting { signal, .. } = &state.phase else {
        return None;
    };
    if *signal != received.signal || !state.consumed.insert(received.number) {
        return None;
    }
    Some(state.arrive(Arrival::Signal(received.clone())))
}

/// What an operator's action does.
fn intervene(mut state: RunState, event: &Event) -> Option<RunState> {
    match (event, state.phase.clone()) {
        (Event::Paused(_), before) if before.can_be_held() => {
            Some(state.rest(Phase::Paused { before: Box::new(before) }))
        }
        (Event::Resumed(resumed), phase) => match (&resumed.from_step, phase) {
            (None, Phase::Paused { before }) => Some(state.rest(*before)),
            (from_step, Phase::Paused { .. } | Phase::Failed | Phase::Cancelled) => {
                let step = from_step.clone().unwrap_or_else(|| state.step.clone());
                // Where it stood, it still has what it waited for.
                let arrival = state.arrival.clone().filter(|_| from_step.is_none());
                Some(RunState { arrival, ..state.enter(step, Phase::Runnable) })
            }
            _ => None,
        },
        (Event::RetriedNow(_), Phase::Backoff { .. }) => Some(state.rest(Phase::Runnable)),
        (Event::RetriedNow(_), Phase::Sleeping { .. }) => Some(state.arrive(Arrival::Woke)),
        (Event::Migrated(migrated), phase)
            if phase.can_be_held() || matches!(phase, Phase::Paused { .. }) =>
        {
            state.definition.version = migrated.to_version;
            let moved = match phase {
                Phase::Paused { .. } => Phase::Paused { before: Box::new(Phase::Runnable) },
                Phase::Runnable
                | Phase::Backoff { .. }
                | Phase::Sleeping { .. }
                | Phase::Waiting { .. }
                | Phase::Finishing
                | Phase::Failed
                | Phase::Cancelled
                | Phase::Completed => Phase::Runnable,
            };
            Some(state.enter(migrated.to_step.clone(), moved))
        }
        (Event::Cancelled(_), phase) if phase.can_be_held() || matches!(phase, Phase::Paused { .. }) => {
            Some(state.rest(Phase::Cancelled))
        }
        _ => None,
    }
}
