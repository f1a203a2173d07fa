//! Advances one leased run: folds its log, calls the step with no transaction open, hands the result to the
//! committer and goes on in memory with the next step, until the run rests, ends or is lost.

use crate::{
    Catalog, Clock,
    clock::random_fraction,
    committer::{Commit, Committed, Committer},
    error::{IllegalTransition, StoreError},
    event::{Completed, Event, Failure, Slept, StepCompleted, StepRetried, WaitTimedOut, Waited},
    fence::Fence,
    history::{History, Stamp},
    id::{Actor, StepName},
    observe,
    retry::StepPolicy,
    status::LiveState,
    step::{Decision, SqlWork, StepContext, StepError},
    store::{
        advance::{Advance, RowAfter},
        claim::LeasedRun,
        event, signal,
    },
    transition::{Arrival, Effect, Phase},
    workflow::{Definition, ErasedOutcome},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use serde_json::value::RawValue;
use sqlx::PgPool;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// Time a step may run past its time-out before other workers may take its run.
pub const DEADLINE_GRACE: Duration = Duration::from_secs(30);

/// Code of a failure: the database takes everything but this result.
const CHECKPOINT_REFUSED: &str = "checkpoint_refused";

/// How an executor let go of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is over.
    Closed,
    /// It rests; by time alone it is woken then.
    Parked {
        /// `None`: only a signal or an operator wakes it.
        wake_at: Option<DateTime<Utc>>,
    },
    /// The lease was lost: nothing of the last attempt counts.
    Fenced,
    /// The worker stops: the run is to be handed back.
    Interrupted,
    /// The database refuses even to record that it failed: it stays leased until its deadline.
    Stuck,
}

/// What an executor cannot mend; the run is left to the reaper.
#[derive(Debug, Error)]
pub enum ExecutorError {
    /// The log does not fold.
    #[error("the log is not a legal history")]
    Illegal(#[from] IllegalTransition),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything the executors of one worker share.
#[derive(Clone)]
pub struct Executor {
    /// What it can run.
    pub catalog: Catalog,
    /// Where results go.
    pub committer: Committer,
    /// For the rare reads.
    pub pool: PgPool,
    /// The database's time.
    pub clock: Clock,
    /// Who it writes as.
    pub actor: Actor,
    /// Whether its leases hold.
    pub fence: Fence,
    /// Pause before every step, so that people can watch; zero otherwise.
    pub pace: Duration,
}

/// One run while this worker holds it.
struct Held {
    lease: LeasedRun,
    history: History,
    definition: Arc<Definition>,
    attempt: i32,
}

/// A step's answer as events, ready to be chained to the log.
struct Outcome {
    events: Vec<Event>,
    work: Vec<SqlWork>,
    took: Option<Duration>,
}

impl Outcome {
    fn plain(event: Event) -> Self {
        Self { events: vec![event], work: Vec::new(), took: None }
    }

    fn is_refusal(&self) -> bool {
        matches!(self.events.as_slice(), [Event::Failed(failure)] if failure.code == CHECKPOINT_REFUSED)
    }
}

/// What to do with a held run next.
enum Next {
    Call(Option<Arrival>),
    Write(Outcome),
    Rest { wake_at: Option<DateTime<Utc>> },
}

impl Executor {
    /// Advances a run until it rests, ends or is lost. `stop` ends it at the next checkpoint, `abort` at once.
    ///
    /// # Errors
    /// If the log cannot be read or folded.
    pub async fn run(
        &self,
        lease: LeasedRun,
        stop: &CancellationToken,
        abort: &CancellationToken,
    ) -> Result<Ended, ExecutorError> {
        let history = History::fold(lease.id, &lease.log)?;
        let Some(definition) = self.catalog.get(&history.state.definition).cloned() else {
            return Ok(Ended::Interrupted);
        };
        let attempt = lease.attempt;
        let mut held = Held { lease, history, definition, attempt };
        held.lease.log = Vec::new();
        loop {
            if !self.fence.is_open(Instant::now()) {
                return Ok(Ended::Fenced);
            }
            if stop.is_cancelled() {
                return Ok(Ended::Interrupted);
            }
            let outcome = match self.next(&held).await? {
                Next::Call(arrival) => match self.call(&held, arrival, abort).await {
                    Some(outcome) => outcome,
                    None if abort.is_cancelled() => return Ok(Ended::Interrupted),
                    None => return Ok(Ended::Fenced),
                },
                Next::Write(outcome) => outcome,
                Next::Rest { wake_at } => return self.rest(held, wake_at).await,
            };
            if let Some(ended) = self.record(&mut held, outcome).await? {
                return Ok(ended);
            }
        }
    }

    /// Decides, from the log and the signals, what comes next.
    async fn next(&self, held: &Held) -> Result<Next, ExecutorError> {
        let state = &held.history.state;
        let policy = held.policy();
        if state.crashes > i32::try_from(policy.max_crashes).unwrap_or(i32::MAX) {
            let message = format!("{} workers died on step {}", state.crashes, state.step);
            return Ok(Next::Write(Outcome::plain(Event::Failed(Failure::new("poison", message)))));
        }
        Ok(match &state.phase {
            Phase::Runnable | Phase::Backoff { .. } => Next::Call(state.arrival.clone()),
            Phase::Sleeping { .. } => Next::Call(Some(Arrival::Woke)),
            Phase::Waiting { signal, until } => self.arrived(held, signal, *until).await?,
            // A run in these phases has no ready row, so it is never leased; resting puts a wrong row right.
            Phase::Paused { .. } | Phase::Finishing | Phase::Failed | Phase::Cancelled | Phase::Completed => {
                Next::Rest { wake_at: None }
            }
        })
    }

    async fn arrived(
        &self,
        held: &Held,
        name: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Next, ExecutorError> {
        if let Some(received) = self.pending_signal(held, name).await? {
            return Ok(Next::Write(Outcome::plain(Event::SignalReceived(received))));
        }
        // The claim found it due by the database's clock, of which this process only has an estimate.
        let now = self.clock.now().max(held.lease.claimed_at);
        Ok(if until.is_some_and(|until| until <= now) {
            Next::Write(Outcome::plain(Event::WaitTimedOut(WaitTimedOut { signal: name.to_owned() })))
        } else {
            Next::Rest { wake_at: until }
        })
    }

    async fn pending_signal(
        &self,
        held: &Held,
        name: &str,
    ) -> Result<Option<crate::event::SignalReceived>, StoreError> {
        if held.lease.signal_count == 0 {
            return Ok(None);
        }
        let mut connection =
            self.pool.acquire().await.map_err(StoreError::database("connect for signals"))?;
        signal::pending(&mut connection, held.lease.id, name, &held.history.state.consumed).await
    }

    /// Calls the step. `None`: the attempt was cut off and nothing of it counts.
    async fn call(
        &self,
        held: &Held,
        arrival: Option<Arrival>,
        abort: &CancellationToken,
    ) -> Option<Outcome> {
        let state = &held.history.state;
        let Some(step) = held.definition.step(&state.step) else {
            let message = format!("{} has no step {} any more", held.definition.id, state.step);
            return Some(Outcome::plain(Event::Failed(Failure::new("unknown_step", message))));
        };
        let context = self.context(held, arrival, abort);
        let started = Instant::now();
        let attempt = async {
            if !self.pace.is_zero() {
                tokio::time::sleep(self.pace).await;
            }
            AssertUnwindSafe(step.body.run(&context, &held.history)).catch_unwind().await
        };
        let answer = tokio::select! {
            biased;
            () = abort.cancelled() => None,
            () = self.fence.closed() => None,
            answer = tokio::time::timeout(step.policy.timeout(), attempt) => Some(answer),
        };
        context.cancellation.cancel();
        let answer = match answer? {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => Err(panicked(&*panic)),
            Err(_elapsed) => Err(timed_out(step.policy)),
        };
        let took = started.elapsed();
        observe::attempt(state.step.as_str(), answer.as_ref().map_or("failed", |_| "ok"), took);
        let mut events: Vec<Event> = context.take_notes().into_iter().map(Event::Noted).collect();
        let (answer, work) = match answer {
            Ok(answer) => (self.answered(held, answer), context.take_work()),
            Err(error) => (vec![self.failed(held, step.policy, error)], Vec::new()),
        };
        events.extend(answer);
        Some(Outcome { events, work, took: Some(took) })
    }

    fn context(&self, held: &Held, arrival: Option<Arrival>, abort: &CancellationToken) -> StepContext {
        let state = &held.history.state;
        StepContext {
            run: held.lease.id,
            step: state.step.clone(),
            attempt: held.attempt,
            visit: state.visits.get(&state.step).copied().unwrap_or(0) + 1,
            visits: state.visits.clone(),
            created_at: held.history.created_at,
            arrival,
            cancellation: abort.child_token(),
            clock: self.clock.clone(),
            notes: Mutex::default(),
            work: Mutex::default(),
        }
    }

    fn answered(&self, held: &Held, answer: ErasedOutcome) -> Vec<Event> {
        match answer {
            ErasedOutcome::Next(output) => completed(held.following(), output),
            ErasedOutcome::GoTo(target, output) => match held.jump_refused(&target) {
                None => completed(Some(target), output),
                Some(failure) => vec![Event::Failed(failure)],
            },
            ErasedOutcome::Sleep(duration) => {
                vec![Event::Slept(Slept { until: self.clock.now() + delta(duration) })]
            }
            ErasedOutcome::Wait { signal, timeout, about } => {
                let until = timeout.map(|timeout| self.clock.now() + delta(timeout));
                vec![Event::Waited(Waited { signal, until, about })]
            }
        }
    }

    fn failed(&self, held: &Held, policy: StepPolicy, error: StepError) -> Event {
        let failed = held.history.state.failed_attempts + 1;
        log_failure(held, &error, failed);
        match error.decision {
            Decision::Retry { after } if failed < policy.max_attempts => {
                let delay = policy.backoff.delay(failed, random_fraction(), after);
                let retry_at = self.clock.now() + delta(delay);
                Event::StepRetried(StepRetried { error: error.failure, retry_at })
            }
            Decision::Retry { .. } | Decision::Fail => Event::Failed(error.failure),
        }
    }

    /// Writes an outcome, folding in what moved on meanwhile. `Some`: the run is no longer held.
    async fn record(&self, held: &mut Held, mut outcome: Outcome) -> Result<Option<Ended>, ExecutorError> {
        loop {
            self.take_waiting_signal(held, &mut outcome).await?;
            let (commit, history) = self.commit_of(held, &outcome)?;
            match self.committer.commit(commit).await {
                Committed::Written => return Ok(self.advanced(held, history)),
                Committed::Fenced => return Ok(Some(Ended::Fenced)),
                Committed::MovedOn { signal_count } => {
                    held.lease.signal_count = signal_count;
                    self.catch_up(held).await?;
                }
                // Left leased, its deadline brings it back, at a pace that harms nobody.
                Committed::Unwritten => return Ok(Some(Ended::Stuck)),
                Committed::Refused(_) if outcome.is_refusal() => return Ok(Some(Ended::Stuck)),
                Committed::Refused(problem) => outcome = refused(held, outcome.took, &problem),
            }
        }
    }

    /// A step that asks to wait for a signal which is there already goes on at once.
    async fn take_waiting_signal(&self, held: &Held, outcome: &mut Outcome) -> Result<(), StoreError> {
        if let Some(Event::Waited(waited)) = outcome.events.last()
            && let Some(received) = self.pending_signal(held, &waited.signal).await?
        {
            outcome.events.push(Event::SignalReceived(received));
        }
        Ok(())
    }

    fn commit_of(&self, held: &Held, outcome: &Outcome) -> Result<(Commit, History), ExecutorError> {
        let mut history = held.history.clone();
        let mut records = Vec::with_capacity(outcome.events.len());
        for event in &outcome.events {
            let record = history.chain(event.clone(), self.stamp(held, outcome.took))?;
            history.apply(&record)?;
            records.push(record);
        }
        let row = self.row_after(held, &history);
        let waits = matches!(&row, RowAfter::Live { state: LiveState::Waiting, .. });
        let advance = Advance {
            run: held.lease.id,
            epoch: held.lease.epoch,
            seq: held.history.seq,
            epoch_after: held.lease.epoch,
            signals_seen: waits.then_some(held.lease.signal_count),
            row,
            events: records,
            hash: history.hash,
        };
        Ok((held.commit(advance, outcome.work.clone()), history))
    }

    fn stamp(&self, held: &Held, took: Option<Duration>) -> Stamp {
        Stamp {
            epoch: held.lease.epoch,
            attempt: held.attempt,
            actor: self.actor.clone(),
            duration_ms: took.map(|took| i32::try_from(took.as_millis()).unwrap_or(i32::MAX)),
            at: self.clock.now(),
        }
    }

    fn row_after(&self, held: &Held, history: &History) -> RowAfter {
        let state = &history.state;
        let stays = state.step == held.history.state.step && state.visits == held.history.state.visits;
        let live = |live_state, wake_at, attempt, deadline_at| RowAfter::Live {
            state: live_state,
            wake_at,
            step: state.step.clone(),
            version: state.definition.version,
            attempt,
            crashes: state.crashes,
            deadline_at,
        };
        match state.phase.effect() {
            Effect::Run => {
                let timeout =
                    held.definition.step(&state.step).map_or(Duration::ZERO, |s| s.policy.timeout());
                let deadline = self.clock.now() + delta(timeout + DEADLINE_GRACE);
                live(LiveState::Leased, None, if stays { held.attempt } else { 1 }, Some(deadline))
            }
            Effect::Park { state: parked, wake_at } => {
                let backs_off = matches!(state.phase, Phase::Backoff { .. });
                live(parked, wake_at, if backs_off { held.attempt } else { 0 }, None)
            }
            Effect::Close(status) => RowAfter::Closed { status, error_code: history.error_code() },
            Effect::Finish => {
                RowAfter::Closed { status: crate::status::RunStatus::Completed, error_code: None }
            }
        }
    }

    fn advanced(&self, held: &mut Held, history: History) -> Option<Ended> {
        let stays = history.state.step == held.history.state.step
            && history.state.visits == held.history.state.visits;
        held.history = history;
        match held.history.state.phase.effect() {
            Effect::Run => {
                if !stays {
                    held.attempt = 1;
                }
                None
            }
            Effect::Park { wake_at, .. } => Some(Ended::Parked { wake_at }),
            Effect::Close(status) => {
                let age = self.clock.now() - held.history.created_at;
                observe::finished(status.as_str(), age.to_std().unwrap_or_default());
                Some(Ended::Closed)
            }
            Effect::Finish => Some(Ended::Closed),
        }
    }

    /// Folds what others appended to the log under our lease.
    async fn catch_up(&self, held: &mut Held) -> Result<(), ExecutorError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect for a log"))?;
        let newer = event::load(&mut connection, held.lease.id, held.history.seq.0).await?;
        newer.iter().try_for_each(|record| held.history.apply(record))?;
        Ok(())
    }

    /// Puts a run back to rest that was woken for nothing.
    async fn rest(&self, mut held: Held, wake_at: Option<DateTime<Utc>>) -> Result<Ended, ExecutorError> {
        let outcome = Outcome { events: Vec::new(), work: Vec::new(), took: None };
        let (commit, _) = self.commit_of(&held, &outcome)?;
        match self.committer.commit(commit).await {
            Committed::Written => Ok(Ended::Parked { wake_at }),
            // A signal came meanwhile: hand the run back, and the next claim sees it.
            Committed::MovedOn { signal_count } => {
                held.lease.signal_count = signal_count;
                Ok(Ended::Interrupted)
            }
            Committed::Unwritten | Committed::Refused(_) => Ok(Ended::Stuck),
            Committed::Fenced => Ok(Ended::Fenced),
        }
    }
}

impl Held {
    fn policy(&self) -> StepPolicy {
        self.definition.step(&self.history.state.step).map(|step| step.policy).unwrap_or_default()
    }

    fn following(&self) -> Option<StepName> {
        self.definition.following(&self.history.state.step).cloned()
    }

    fn jump_refused(&self, target: &StepName) -> Option<Failure> {
        let step = self.definition.step(&self.history.state.step)?;
        let from = &step.name;
        let Some(jump) = step.jumps.iter().find(|jump| jump.target == *target) else {
            return Some(Failure::new("jump_not_allowed", format!("step {from} may not go to {target}")));
        };
        let visits = self.history.state.visits.get(target).copied().unwrap_or(0);
        (visits > jump.limit)
            .then(|| Failure::new("loop_limit", format!("step {from} went to {target} {} times", jump.limit)))
    }

    fn commit(&self, advance: Advance, work: Vec<SqlWork>) -> Commit {
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

fn completed(next: Option<StepName>, output: Box<RawValue>) -> Vec<Event> {
    let last = next.is_none();
    let mut events = vec![Event::StepCompleted(StepCompleted { next, output })];
    if last {
        events.push(Event::Completed(Completed {}));
    }
    events
}

/// The database refuses the result itself: the run fails, with the reason and without the result.
fn refused(held: &Held, took: Option<Duration>, problem: &str) -> Outcome {
    tracing::error!(run.id = %held.lease.id, step.name = %held.history.state.step, problem, "a checkpoint was refused");
    let failure = Failure::new(CHECKPOINT_REFUSED, "the database refuses this step's result")
        .with_details(serde_json::json!({ "problem": problem.replace('\0', "") }));
    Outcome { events: vec![Event::Failed(failure)], work: Vec::new(), took }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> StepError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    StepError::retry("panic", text.unwrap_or_else(|| "the step panicked".to_owned()))
}

fn timed_out(policy: StepPolicy) -> StepError {
    StepError::retry("timeout", format!("the step took longer than {} ms", policy.timeout_ms))
}

fn log_failure(held: &Held, error: &StepError, failed: u32) {
    tracing::warn!(
        run.id = %held.lease.id,
        step.name = %held.history.state.step,
        attempt = held.attempt,
        failed,
        code = error.failure.code,
        error = error as &dyn std::error::Error,
        "a step's attempt failed"
    );
}

fn delta(duration: Duration) -> TimeDelta {
    // Whole microseconds, as the database keeps them.
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2);
    TimeDelta::microseconds(micros)
}
