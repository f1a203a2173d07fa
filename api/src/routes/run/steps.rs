//! The steps of a run: how often each was tried, how long that took, where it stands.

use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use ticketflow_engine::{
    StepName,
    event::{Event, EventRecord, Failure},
    history::History,
    status::LiveState,
    store::control::LiveRow,
    transition::Phase,
    workflow::Definition,
};

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StepStatus {
    /// Not reached, or to be done again.
    Pending,
    /// Next in line.
    Ready,
    /// A worker is at it.
    Running,
    /// Its last attempt failed and another follows.
    Retrying,
    /// Until a time.
    Sleeping,
    /// For a signal.
    Waiting,
    /// By an operator.
    Paused,
    /// It has its checkpoint.
    Completed,
    /// It failed the run.
    Failed,
    /// The run was cancelled here.
    Cancelled,
}

/// A step on the wire.
#[derive(Debug, Serialize)]
pub(super) struct StepView {
    name: StepName,
    status: StepStatus,
    /// Number of the last attempt that ended, as its event has it: counted anew when an operator sets the run.
    attempt: Option<i32>,
    /// Attempts that ended, well or not, in the whole log.
    attempts: u32,
    /// How often it was completed.
    completions: u32,
    /// Time the last attempt took.
    duration_ms: Option<i32>,
    /// Time all attempts took.
    total_duration_ms: i64,
    completed_at: Option<DateTime<Utc>>,
    last_error: Option<Failure>,
}

impl StepView {
    const fn untouched(name: StepName) -> Self {
        Self {
            name,
            status: StepStatus::Pending,
            attempt: None,
            attempts: 0,
            completions: 0,
            duration_ms: None,
            total_duration_ms: 0,
            completed_at: None,
            last_error: None,
        }
    }

    fn count(&mut self, record: &EventRecord) {
        match &record.event {
            Event::StepCompleted(_) => {
                self.attempt_ended(record, None);
                self.completions += 1;
                self.completed_at = Some(record.at);
            }
            Event::StepRetried(retried) => self.attempt_ended(record, Some(retried.error.clone())),
            Event::Failed(failure) => self.attempt_ended(record, Some(failure.clone())),
            Event::LeaseExpired(expired) => {
                let message = format!("worker {} lost its lease", expired.worker);
                self.attempt_ended(record, Some(Failure::new(&expired.cause, message)));
            }
            Event::Created(_)
            | Event::Slept(_)
            | Event::Waited(_)
            | Event::SignalReceived(_)
            | Event::WaitTimedOut(_)
            | Event::Noted(_)
            | Event::Annotated(_)
            | Event::Paused(_)
            | Event::Resumed(_)
            | Event::RetriedNow(_)
            | Event::Migrated(_)
            | Event::Cancelled(_)
            | Event::Completed(_) => {}
        }
    }

    fn attempt_ended(&mut self, record: &EventRecord, error: Option<Failure>) {
        self.attempt = Some(record.attempt);
        self.attempts += 1;
        self.duration_ms = record.duration_ms;
        self.total_duration_ms += i64::from(record.duration_ms.unwrap_or(0));
        self.last_error = error;
    }
}

/// Every step of the definition in order, then those of the log that it does not have any more.
pub(super) fn fold(
    live: Option<&LiveRow>,
    history: &History,
    log: &[EventRecord],
    definition: Option<&Definition>,
) -> Vec<StepView> {
    let defined = definition.map(|definition| definition.steps.as_slice()).unwrap_or_default();
    let mut order: Vec<StepName> = defined.iter().map(|step| step.name.clone()).collect();
    let mut views = BTreeMap::new();
    for record in log {
        let Some(step) = &record.step else { continue };
        if !order.contains(step) {
            order.push(step.clone());
        }
        views.entry(step.clone()).or_insert_with(|| StepView::untouched(step.clone())).count(record);
    }
    let view = |name: StepName| {
        let mut view = views.remove(&name).unwrap_or_else(|| StepView::untouched(name.clone()));
        view.status = status(&name, live, history);
        view
    };
    order.into_iter().map(view).collect()
}

fn status(step: &StepName, live: Option<&LiveRow>, history: &History) -> StepStatus {
    if *step == history.state.step {
        return current(live, &history.state.phase);
    }
    // The checkpoints of steps that are to be run again are forgotten.
    if history.has_checkpoint(step) { StepStatus::Completed } else { StepStatus::Pending }
}

fn current(live: Option<&LiveRow>, phase: &Phase) -> StepStatus {
    if live.is_some_and(|live| live.state == LiveState::Leased) {
        return StepStatus::Running;
    }
    match phase {
        Phase::Runnable => StepStatus::Ready,
        Phase::Backoff { .. } => StepStatus::Retrying,
        Phase::Sleeping { .. } => StepStatus::Sleeping,
        Phase::Waiting { .. } => StepStatus::Waiting,
        Phase::Paused { .. } => StepStatus::Paused,
        Phase::Finishing | Phase::Completed => StepStatus::Completed,
        Phase::Failed => StepStatus::Failed,
        Phase::Cancelled => StepStatus::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use ticketflow_engine::{
        Actor, Epoch, RunId, Seq,
        chain::Hash,
        event::{Created, Intervention, StepCompleted, StepRetried},
        history::{Stamp, record},
    };

    fn json() -> Box<RawValue> {
        RawValue::from_string("{}".into()).unwrap()
    }

    /// A log of these events, each at the step the run is at when it happens.
    fn log(events: Vec<Event>) -> (History, Vec<EventRecord>) {
        let stamp = || Stamp {
            epoch: Epoch(1),
            attempt: 1,
            actor: Actor::new("worker:w"),
            duration_ms: Some(5),
            at: DateTime::UNIX_EPOCH,
        };
        let created = Created {
            workflow: "w".into(),
            version: 1,
            step: StepName::new("one"),
            input: json(),
            fork: None,
        };
        let run = RunId::from_uuid(uuid::Uuid::nil());
        let step = Some(StepName::new("one"));
        let mut log =
            vec![record(run, Seq(0), Hash::GENESIS, step, Event::Created(created), stamp()).unwrap()];
        let mut history = History::fold(run, &log).unwrap();
        for event in events {
            let next = history.chain(event, stamp()).unwrap();
            history.apply(&next).unwrap();
            log.push(next);
        }
        (history, log)
    }

    #[test]
    fn attempts_are_counted_per_step_and_the_current_step_has_the_runs_state() {
        let retried = Event::StepRetried(StepRetried {
            error: Failure::new("flaky", "it broke"),
            retry_at: DateTime::UNIX_EPOCH,
        });
        let done = Event::StepCompleted(StepCompleted { next: Some(StepName::new("two")), output: json() });
        let pause = Event::Paused(Intervention { reason: "lunch".into() });
        let (history, log) = log(vec![retried.clone(), done, retried, pause]);
        let views = fold(None, &history, &log, None);
        let seen: Vec<_> =
            views.iter().map(|v| (v.name.as_str(), v.status, v.attempts, v.total_duration_ms)).collect();
        assert_eq!(seen, [("one", StepStatus::Completed, 2, 10), ("two", StepStatus::Paused, 1, 5)]);
        assert!(views[0].last_error.is_none());
        assert_eq!(views[1].last_error.as_ref().unwrap().code, "flaky");
    }
}
