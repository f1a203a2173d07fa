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
    event::{Created, Event, Migrated, Resumed, SignalReceived},
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
    /// The same since an operator last set the run to a step: what loops are limited by.
    pub rounds: BTreeMap<StepName, u32>,
    /// Signals up to this number were sent before an operator last set the run to a step. They were meant for what it
    /// did before: an approval of a draft says nothing about the next draft.
    pub past_signals: i32,
    /// Numbers of the later signals consumed.
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

    /// Whether an operator may end or move a run in this phase.
    const fn is_open(&self) -> bool {
        self.can_be_held() || matches!(self, Self::Paused { .. })
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
            rounds: BTreeMap::new(),
            past_signals: 0,
            consumed: BTreeSet::new(),
            arrival: None,
        }
    }

    /// Whether the run has an outcome.
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Failed | Phase::Cancelled | Phase::Completed)
    }

    /// Whether this is still the same execution of the same step as in `earlier`.
    pub(crate) fn stays(&self, earlier: &Self) -> bool {
        self.step == earlier.step && self.visits == earlier.visits
    }

    fn rest(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    fn enter(mut self, step: StepName, phase: Phase) -> Self {
        self.step = step;
        self.failed_attempts = 0;
        self.crashes = 0;
        self.arrival = None;
        self.rest(phase)
    }

    /// An operator sets the run to a step: its loops may begin anew.
    fn set_to(mut self, step: StepName) -> Self {
        self.rounds = BTreeMap::new();
        self.enter(step, Phase::Runnable)
    }

    fn forget_signals(mut self, seen: i32) -> Self {
        self.past_signals = self.past_signals.max(seen);
        self.consumed.retain(|number| *number > seen);
        self
    }

    fn arrive(mut self, arrival: Arrival) -> Self {
        self.arrival = Some(arrival);
        self.rest(Phase::Runnable)
    }

    fn complete_step(mut self, next: Option<&StepName>) -> Self {
        *self.visits.entry(self.step.clone()).or_default() += 1;
        *self.rounds.entry(self.step.clone()).or_default() += 1;
        match next {
            Some(next) => self.enter(next.clone(), Phase::Runnable),
            None => self.rest(Phase::Finishing),
        }
    }

    fn retry(mut self, until: DateTime<Utc>) -> Self {
        self.failed_attempts += 1;
        if matches!(self.phase, Phase::Sleeping { .. }) {
            self.arrival = Some(Arrival::Woke);
        }
        self.rest(Phase::Backoff { until })
    }

    /// The step was called with what had arrived, and asked for a sleep or a wait.
    fn park(mut self, phase: Phase) -> Self {
        self.arrival = None;
        self.rest(phase)
    }

    fn receive(mut self, received: &SignalReceived) -> Option<Self> {
        match &self.phase {
            Phase::Waiting { signal, .. } if *signal == received.signal => {}
            Phase::Waiting { .. }
            | Phase::Runnable
            | Phase::Backoff { .. }
            | Phase::Sleeping { .. }
            | Phase::Paused { .. }
            | Phase::Finishing
            | Phase::Failed
            | Phase::Cancelled
            | Phase::Completed => return None,
        }
        let fresh = received.number > self.past_signals && self.consumed.insert(received.number);
        fresh.then(|| self.arrive(Arrival::Signal(received.clone())))
    }

    fn pause(self) -> Self {
        let before = Box::new(self.phase.clone());
        self.rest(Phase::Paused { before })
    }

    fn resume(self, resumed: &Resumed) -> Option<Self> {
        match (self.phase.clone(), &resumed.from_step) {
            (Phase::Paused { before }, None) => Some(self.rest(*before)),
            (Phase::Paused { .. } | Phase::Failed | Phase::Cancelled, Some(step)) => {
                Some(self.set_to(step.clone()).forget_signals(resumed.signals_seen))
            }
            (Phase::Failed | Phase::Cancelled, None) => {
                // Where it stood, it still has what it waited for.
                let (step, arrival) = (self.step.clone(), self.arrival.clone());
                Some(Self { arrival, ..self.set_to(step) })
            }
            (
                Phase::Runnable
                | Phase::Backoff { .. }
                | Phase::Sleeping { .. }
                | Phase::Waiting { .. }
                | Phase::Finishing
                | Phase::Completed,
                _,
            ) => None,
        }
    }

    fn retry_now(self) -> Option<Self> {
        match &self.phase {
            Phase::Backoff { .. } => Some(self.rest(Phase::Runnable)),
            Phase::Sleeping { .. } => Some(self.arrive(Arrival::Woke)),
            Phase::Runnable
            | Phase::Waiting { .. }
            | Phase::Paused { .. }
            | Phase::Finishing
            | Phase::Failed
            | Phase::Cancelled
            | Phase::Completed => None,
        }
    }

    /// Paused it stays paused, and goes on there once it is resumed.
    fn migrate(mut self, migrated: &Migrated) -> Self {
        let paused = matches!(self.phase, Phase::Paused { .. });
        self.definition.version = migrated.to_version;
        let moved = self.set_to(migrated.to_step.clone()).forget_signals(migrated.signals_seen);
        if paused { moved.pause() } else { moved }
    }
}

/// The state after `event`.
///
/// # Errors
/// [`IllegalTransition`] if the event cannot happen to a run in this state.
pub fn transition(state: RunState, event: &Event) -> Result<RunState, IllegalTransition> {
    let refused = IllegalTransition { event: event.kind().as_str(), state: state.phase.name() };
    let phase = &state.phase;
    let next = match event {
        Event::StepCompleted(completed) if phase.can_run() => state.complete_step(completed.next.as_ref()),
        Event::StepRetried(retried) if phase.can_run() => state.retry(retried.retry_at),
        Event::Slept(slept) if phase.can_run() => state.park(Phase::Sleeping { until: slept.until }),
        Event::Waited(waited) if phase.can_run() => {
            state.park(Phase::Waiting { signal: waited.signal.clone(), until: waited.until })
        }
        Event::SignalReceived(received) => state.receive(received).ok_or(refused)?,
        Event::WaitTimedOut(_) if matches!(phase, Phase::Waiting { until: Some(_), .. }) => {
            state.arrive(Arrival::TimedOut)
        }
        Event::LeaseExpired(expired) if phase.can_be_held() => RunState { crashes: expired.crashes, ..state },
        Event::Noted(_) if phase.can_be_held() => state,
        Event::Annotated(_) => state,
        Event::Paused(_) if phase.can_be_held() => state.pause(),
        Event::Resumed(resumed) => state.resume(resumed).ok_or(refused)?,
        Event::RetriedNow(_) => state.retry_now().ok_or(refused)?,
        Event::Migrated(migrated) if phase.is_open() => state.migrate(migrated),
        Event::Cancelled(_) if phase.is_open() => state.rest(Phase::Cancelled),
        Event::Failed(_) if phase.can_be_held() => state.rest(Phase::Failed),
        Event::Completed(_) if matches!(phase, Phase::Finishing) => state.rest(Phase::Completed),
        Event::Created(_)
        | Event::StepCompleted(_)
        | Event::StepRetried(_)
        | Event::Slept(_)
        | Event::Waited(_)
        | Event::WaitTimedOut(_)
        | Event::LeaseExpired(_)
        | Event::Noted(_)
        | Event::Paused(_)
        | Event::Migrated(_)
        | Event::Cancelled(_)
        | Event::Failed(_)
        | Event::Completed(_) => return Err(refused),
    };
    Ok(next)
}
