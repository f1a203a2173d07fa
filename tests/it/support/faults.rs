//! What goes wrong around real steps, and a saboteur that stands around every call to make it so.

use super::Gate;
use futures::future::{BoxFuture, FutureExt};
use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use ticketflow_engine::{
    RunId, StepContext, StepError,
    around::{Answer, Around, Call},
};

/// What goes wrong at one call of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A worker takes the run at this step and dies before it begins.
    CrashBeforeStep,
    /// The worker dies when the step has begun its work.
    CrashInStep,
    /// The worker loses its lease and dies when the work is done, before it could write the checkpoint.
    CrashBeforeCommit,
    /// The worker dies when the checkpoint is written, before it begins anything else.
    CrashAfterCommit,
    /// The step ends a second time, on a worker that lost its lease, after another one brought the run to its end.
    Repeat,
    /// The worker hands the run back before the step ends, and its result comes all the same.
    HandBack,
    /// The work is done, but the attempt fails and asks for another.
    Retry,
    /// The work is done, then the step panics.
    Panic,
    /// The work is done, but the step never ends.
    TimeOut,
    /// The work is done, but the step fails for good, and an operator resumes the run.
    Fail,
}

/// Code of the errors that the saboteur makes.
pub(crate) const SABOTAGED: &str = "sabotaged";

/// A fault to come: at which call of the run, counted from 0, and where the call stands until the test decides.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    pub(crate) fault: Fault,
    pub(crate) call: usize,
    pub(crate) gate: Arc<Gate>,
}

/// Sees every call of every step, and strikes where it was told to; clones share what it knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Saboteur {
    shared: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    blows: HashMap<RunId, Blow>,
    /// The calls of each run, by the key for effects outside.
    calls: HashMap<RunId, Vec<String>>,
}

impl Saboteur {
    /// Tells it to strike.
    pub(crate) fn strike(&self, run: RunId, blow: Blow) {
        self.known().blows.insert(run, blow);
    }

    /// Whether it has yet to strike at this run.
    pub(crate) fn is_to_strike(&self, run: RunId) -> bool {
        self.known().blows.contains_key(&run)
    }

    /// The keys for outside effects under which this run's steps were called, call by call, without the run's id.
    pub(crate) fn calls(&self, run: RunId) -> Vec<String> {
        self.known().calls.get(&run).cloned().unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call; the blow if it is to be struck now.
    fn enter(&self, context: &StepContext) -> Option<Blow> {
        let run = context.run_id();
        let key = context.idempotency_key();
        let key = key.strip_prefix(&format!("{run}/")).expect("a key names its run").to_owned();
        let mut known = self.known();
        let calls = known.calls.entry(run).or_default();
        let number = calls.len();
        calls.push(key);
        if known.blows.get(&run).is_some_and(|blow| blow.call == number) {
            known.blows.remove(&run)
        } else {
            None
        }
    }
}

impl Around for Saboteur {
    fn call<'a>(
        &'a self,
        context: &'a StepContext,
        call: Call<'a>,
    ) -> BoxFuture<'a, Result<Answer, StepError>> {
        let blow = self.enter(context);
        async move {
            match blow {
                Some(blow) => strike(blow, call).await,
                None => call.make().await,
            }
        }
        .boxed()
    }
}

async fn strike(blow: Blow, call: Call<'_>) -> Result<Answer, StepError> {
    if blow.fault == Fault::CrashInStep {
        let mut work = pin!(call.make());
        drop(futures::poll!(work.as_mut()));
        blow.gate.pass().await;
        return work.await;
    }
    let answer = call.make().await?;
    match blow.fault {
        Fault::Retry => Err(StepError::retry(SABOTAGED, "tried in vain")),
        Fault::Panic => panic!("a step panicked as told"),
        Fault::TimeOut => futures::future::pending().await,
        Fault::Fail => Err(StepError::fail(SABOTAGED, "failed for good")),
        Fault::CrashBeforeStep
        | Fault::CrashInStep
        | Fault::CrashBeforeCommit
        | Fault::CrashAfterCommit
        | Fault::Repeat
        | Fault::HandBack => {
            blow.gate.pass().await;
            Ok(answer)
        }
    }
}
