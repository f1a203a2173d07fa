//! A run's log folded up: its control state, its input and the checkpoints that later steps read.

use crate::{
    chain::{Hash, Link},
    error::{IllegalTransition, StoreError},
    event::{Created, Event, EventRecord},
    id::{Actor, Epoch, RunId, Seq, StepName},
    transition::{RunState, transition},
};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, sync::Arc};

/// A checkpoint and when it was made, counted along the log.
#[derive(Debug, Clone)]
struct Checkpoint {
    order: usize,
    output: Arc<RawValue>,
}

/// Everything an executor has to know about a run, folded from its log.
#[derive(Debug, Clone)]
pub struct History {
    /// The run.
    pub run: RunId,
    /// Its control state.
    pub state: RunState,
    /// Position of the last event.
    pub seq: Seq,
    /// Hash of the last event.
    pub hash: Hash,
    /// When the run was created.
    pub created_at: DateTime<Utc>,
    input: Arc<RawValue>,
    checkpoints: BTreeMap<StepName, Checkpoint>,
    /// How many checkpoints there were when each step was last entered.
    entered: BTreeMap<StepName, usize>,
    completions: usize,
    error_code: Option<String>,
}

/// Who writes an event, when and for which attempt.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Epoch it is written under.
    pub epoch: Epoch,
    /// Attempt it belongs to.
    pub attempt: i32,
    /// Who caused it.
    pub actor: Actor,
    /// How long the attempt took.
    pub duration_ms: Option<i32>,
    /// When.
    pub at: DateTime<Utc>,
}

impl History {
    /// Folds a whole log, oldest event first.
    ///
    /// # Errors
    /// If an event cannot follow on those before it.
    pub fn fold(run: RunId, log: &[EventRecord]) -> Result<Self, IllegalTransition> {
        let not_a_start = |event: &'static str| IllegalTransition { event, state: "not created" };
        let (first, rest) = log.split_first().ok_or_else(|| not_a_start("nothing"))?;
        let Event::Created(created) = &first.event else {
            return Err(not_a_start(first.event.kind().as_str()));
        };
        let mut history = Self::start(run, created, first);
        rest.iter().try_for_each(|record| history.apply(record))?;
        Ok(history)
    }

    fn start(run: RunId, created: &Created, first: &EventRecord) -> Self {
        let checkpoints: BTreeMap<_, _> = created
            .fork
            .iter()
            .flat_map(|fork| &fork.outputs)
            .map(|(step, output)| (step.clone(), Checkpoint { order: 0, output: output.clone().into() }))
            .collect();
        Self {
            run,
            state: RunState::start(created),
            seq: first.seq,
            hash: first.hash,
            created_at: first.at,
            input: created.input.clone().into(),
            checkpoints,
            entered: BTreeMap::from([(created.step.clone(), 1)]),
            completions: 1,
            error_code: None,
        }
    }

    /// Folds one more event.
    ///
    /// # Errors
    /// If it cannot follow.
    pub fn apply(&mut self, record: &EventRecord) -> Result<(), IllegalTransition> {
        let step = self.state.step.clone();
        self.state = transition(self.state.clone(), &record.event)?;
        self.seq = record.seq;
        self.hash = record.hash;
        self.error_code = None;
        match &record.event {
            Event::StepCompleted(completed) => {
                self.keep(step, completed.output.clone().into());
                self.enter();
            }
            Event::Resumed(resumed) => {
                if let Some(from) = &resumed.from_step {
                    self.forget_from(from);
                }
                for (step, output) in &resumed.edited {
                    self.keep(step.clone(), output.clone().into());
                }
                if resumed.from_step.is_some() {
                    self.enter();
                }
            }
            Event::Migrated(_) => self.enter(),
            Event::Failed(failure) => self.error_code = Some(failure.code.clone()),
            Event::Created(_)
            | Event::StepRetried(_)
            | Event::Slept(_)
            | Event::Waited(_)
            | Event::SignalReceived(_)
            | Event::WaitTimedOut(_)
            | Event::LeaseExpired(_)
            | Event::Noted(_)
            | Event::Annotated(_)
            | Event::Paused(_)
            | Event::RetriedNow(_)
            | Event::Cancelled(_)
            | Event::Completed(_) => {}
        }
        Ok(())
    }

    /// Makes the record of `event` as the log's next, chained to the last.
    ///
    /// # Errors
    /// If the event cannot be encoded.
    pub fn chain(&self, event: Event, stamp: Stamp) -> Result<EventRecord, StoreError> {
        record(self.run, self.seq.next(), self.hash, Some(self.state.step.clone()), event, stamp)
    }

    /// Whether the step has a checkpoint.
    pub fn has_checkpoint(&self, step: &StepName) -> bool {
        self.checkpoints.contains_key(step)
    }

    /// Code of the error that failed the run, if that is the last thing that happened.
    pub fn error_code(&self) -> Option<String> {
        self.error_code.clone()
    }

    /// The run's input, as JSON.
    pub fn input(&self) -> &RawValue {
        &self.input
    }

    /// A step's latest checkpoint, as JSON.
    pub fn output(&self, step: &str) -> Option<&RawValue> {
        self.checkpoints.get(&StepName::new(step)).map(|checkpoint| &*checkpoint.output)
    }

    /// Every checkpoint, by step.
    pub fn outputs(&self) -> impl Iterator<Item = (&StepName, &RawValue)> {
        self.checkpoints.iter().map(|(step, checkpoint)| (step, &*checkpoint.output))
    }

    fn keep(&mut self, step: StepName, output: Arc<RawValue>) {
        self.checkpoints.insert(step, Checkpoint { order: self.completions, output });
        self.completions += 1;
    }

    fn enter(&mut self) {
        self.entered.insert(self.state.step.clone(), self.completions);
    }

    /// A run that goes on from an earlier step must not see what was made since it last entered that step. What an
    /// earlier round of a loop made, or the run it was forked from, it saw then and sees again.
    pub(crate) fn forget_from(&mut self, step: &StepName) {
        match self.entered.get(step).copied() {
            Some(since) => self.checkpoints.retain(|_, checkpoint| checkpoint.order < since),
            None if self.has_checkpoint(step) => {
                self.checkpoints.retain(|name, checkpoint| checkpoint.order == 0 && name != step);
            }
            None => {}
        }
    }
}

/// Makes the record of an event, chained to `previous`.
///
/// # Errors
/// If the event cannot be encoded.
pub fn record(
    run: RunId,
    seq: Seq,
    previous: Hash,
    step: Option<StepName>,
    event: Event,
    stamp: Stamp,
) -> Result<EventRecord, StoreError> {
    let payload = event.payload().map_err(StoreError::Encode)?;
    let link = Link {
        run,
        seq,
        epoch: stamp.epoch,
        kind: event.kind(),
        step: step.as_ref().map(StepName::as_str),
        attempt: stamp.attempt,
        actor: stamp.actor.as_str(),
        duration_ms: stamp.duration_ms,
        at: stamp.at,
        payload_digest: Hash::of(payload.as_bytes()),
    };
    let hash = link.hash(previous);
    let Stamp { epoch, attempt, actor, duration_ms, at } = stamp;
    Ok(EventRecord { seq, epoch, step, attempt, actor, duration_ms, at, event, payload, hash })
}
