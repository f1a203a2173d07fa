//! One attempt of a step: calls it, with its time-out and no transaction open, and makes events of its answer.

use super::{
    Executor, delta,
    held::{Held, Outcome},
};
use crate::{
    clock::random_fraction,
    event::{Completed, Event, Failure, Slept, StepCompleted, StepRetried, Waited},
    id::StepName,
    observe,
    retry::StepPolicy,
    step::{Decision, StepContext, StepError},
    transition::Arrival,
    workflow::ErasedOutcome,
};
use futures::FutureExt;
use serde_json::value::RawValue;
use std::{panic::AssertUnwindSafe, sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;

impl Executor {
    /// Calls the step. `None`: the attempt was cut off and nothing of it counts.
    pub(super) async fn call(
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
        let (state, policy) = (&held.history.state, held.policy());
        StepContext {
            run: held.lease.id,
            step: state.step.clone(),
            attempt: held.attempt,
            is_last_attempt: state.failed_attempts + 1 >= policy.max_attempts,
            deadline: Instant::now() + policy.timeout(),
            visit: state.visits.get(&state.step).copied().unwrap_or(0) + 1,
            visits: state.rounds.clone(),
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
}

fn completed(next: Option<StepName>, output: Box<RawValue>) -> Vec<Event> {
    let last = next.is_none();
    let mut events = vec![Event::StepCompleted(StepCompleted { next, output })];
    if last {
        events.push(Event::Completed(Completed {}));
    }
    events
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
