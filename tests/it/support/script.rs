//! What the steps of the test workflow do when they are called, told by the test, and what they saw.

use super::until;
use futures::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use ticketflow_engine::{Arrival, RunId, StepContext, StepError, StepOutcome, fence::Fence};
use tokio::sync::Semaphore;

/// One call of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The run.
    pub(crate) run: RunId,
    /// The step.
    pub(crate) step: &'static str,
    /// Which call of this step in this run, from 1; calls whose worker died count.
    pub(crate) number: usize,
    /// The attempt the engine says it is.
    pub(crate) attempt: i32,
    /// `woke`, `timed out`, or the payload of a signal.
    pub(crate) arrival: Option<String>,
    /// The key for outside effects.
    pub(crate) key: String,
}

/// What a step does.
#[derive(Clone)]
pub(crate) enum Act {
    /// Its work.
    Work,
    /// Its work, with this output.
    Output(serde_json::Value),
    /// Its work, with a progress note.
    Note(&'static str),
    /// Asks to be tried again.
    Retry,
    /// Asks to be tried again no sooner than after this.
    RetryAfter(Duration),
    /// Fails for good.
    Fail,
    /// Asks to be called again later.
    Sleep(Duration),
    /// Asks to be called again when the signal has come.
    Wait(&'static str, Option<Duration>),
    /// Its work, then on with another step.
    GoTo(&'static str),
    /// Its work, with SQL in the checkpoint's transaction.
    Sql(&'static str),
    /// Its work, between two gates.
    Pass(Arc<Gate>),
    /// Its work; its worker loses its lease before it can say so.
    LoseLease(Fence),
}

/// A place where a step waits until the test lets it through.
#[derive(Debug)]
pub(crate) struct Gate {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { arrived: Semaphore::new(0), open: Semaphore::new(0) })
    }

    /// Stands at the gate until it is opened.
    pub(crate) async fn pass(&self) {
        self.arrived.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    /// Waits until a step stands at the gate.
    pub(crate) async fn reached(&self) {
        self.reached_by(1).await;
    }

    /// Waits until so many more steps stand at the gate.
    pub(crate) async fn reached_by(&self, steps: u32) {
        let reached = tokio::time::timeout(super::PATIENCE, self.arrived.acquire_many(steps)).await;
        reached.expect("nobody came to the gate").unwrap().forget();
    }

    /// Lets everybody through, now and later.
    pub(crate) fn open(&self) {
        self.open.add_permits(100_000);
    }
}

type Plan = Box<dyn Fn(&Call) -> Act + Send + Sync>;

/// The script that the steps of one engine follow; clones share it.
#[derive(Clone)]
pub(crate) struct Script {
    shared: Arc<Shared>,
}

struct Shared {
    plan: Mutex<Plan>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Call>,
    running: HashMap<RunId, usize>,
    most_per_run: usize,
    most_at_once: usize,
    beds: HashMap<String, usize>,
    most_per_bed: usize,
}

/// A call that is going on.
struct Running<'a> {
    script: &'a Script,
    run: RunId,
    bed: String,
}

impl Script {
    /// Every step does its work.
    pub(crate) fn new() -> Self {
        let shared = Shared { plan: Mutex::new(Box::new(|_| Act::Work)), seen: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Tells the steps what to do from now on.
    pub(crate) fn set(&self, plan: impl Fn(&Call) -> Act + Send + Sync + 'static) {
        *self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(plan);
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.seen(|seen| seen.calls.clone())
    }

    /// The calls of one run's step.
    pub(crate) fn calls_of(&self, run: RunId, step: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.run == run && call.step == step).collect()
    }

    /// Most steps that ran at once: of one run, of one bed, of all.
    pub(crate) fn most_at_once(&self) -> (usize, usize, usize) {
        self.seen(|seen| (seen.most_per_run, seen.most_per_bed, seen.most_at_once))
    }

    /// Waits until a step was called that often in a run.
    pub(crate) async fn called(&self, run: RunId, step: &str, times: usize) {
        until("a step is called", || async { self.calls_of(run, step).len() >= times }).await;
    }

    fn enter(&self, call: &mut Call, bed: &str) -> Running<'_> {
        self.seen(|seen| {
            let before = seen.calls.iter().filter(|other| other.run == call.run && other.step == call.step);
            call.number = before.count() + 1;
            seen.calls.push(call.clone());
            let of_run = seen.running.entry(call.run).or_default();
            *of_run += 1;
            seen.most_per_run = seen.most_per_run.max(*of_run);
            let of_bed = seen.beds.entry(bed.to_owned()).or_default();
            *of_bed += 1;
            seen.most_per_bed = seen.most_per_bed.max(*of_bed);
            seen.most_at_once = seen.most_at_once.max(seen.running.values().sum());
        });
        Running { script: self, run: call.run, bed: bed.to_owned() }
    }

    /// Does what the plan says for this call; `work` is what the step makes of its input.
    pub(crate) async fn perform<T>(
        &self,
        context: &StepContext,
        step: &'static str,
        bed: &str,
        work: T,
    ) -> Result<StepOutcome<T>, StepError>
    where
        T: Serialize + DeserializeOwned,
    {
        let (run, attempt) = (context.run_id(), context.attempt());
        let arrival = context.arrival().map(describe);
        let mut call = Call { run, step, number: 0, attempt, arrival, key: context.idempotency_key() };
        let _running = self.enter(&mut call, bed);
        let act = (self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner))(&call);
        match act {
            Act::Work => Ok(StepOutcome::Next(work)),
            Act::Output(output) => Ok(StepOutcome::Next(serde_json::from_value(output).unwrap())),
            Act::Note(topic) => {
                context.note(topic, serde_json::Value::Null);
                Ok(StepOutcome::Next(work))
            }
            Act::Retry => Err(StepError::retry("busy", "the hose is in use")),
            Act::RetryAfter(delay) => Err(StepError::retry("busy", "the hose is in use").after(delay)),
            Act::Fail => Err(StepError::fail("wilted", "nothing is left to save")),
            Act::Sleep(duration) => Ok(StepOutcome::Sleep(duration)),
            Act::Wait(signal, timeout) => {
                Ok(StepOutcome::Wait { signal: signal.to_owned(), timeout, about: serde_json::Value::Null })
            }
            Act::GoTo(target) => Ok(StepOutcome::GoTo(target, work)),
            Act::Sql(statement) => {
                context.transactionally(move |connection| {
                    async move { sqlx::query(statement).bind(run.as_uuid()).execute(connection).await.map(drop) }.boxed()
                });
                Ok(StepOutcome::Next(work))
            }
            Act::Pass(gate) => {
                gate.pass().await;
                Ok(StepOutcome::Next(work))
            }
            Act::LoseLease(fence) => {
                fence.close();
                Ok(StepOutcome::Next(work))
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.script.seen(|seen| {
            seen.running.entry(self.run).and_modify(|count| *count -= 1);
            seen.beds.entry(self.bed.clone()).and_modify(|count| *count -= 1);
        });
    }
}

fn describe(arrival: &Arrival) -> String {
    match arrival {
        Arrival::Woke => "woke".to_owned(),
        Arrival::Signal(received) => received.payload.get().to_owned(),
        Arrival::TimedOut => "timed out".to_owned(),
    }
}
