//! Says in words why a run does not move.

use chrono::{DateTime, SecondsFormat, Utc};
use ticketflow_engine::{
    event::{Event, EventRecord},
    history::History,
    status::LiveState,
    store::control::LiveRow,
    transition::Phase,
};

/// Why the run waits; `None`: it does not, for a worker has it or it is over.
pub(super) fn waits(live: Option<&LiveRow>, history: &History, log: &[EventRecord]) -> Option<String> {
    let live = live?;
    match live.state {
        LiveState::Leased => None,
        LiveState::Ready => Some("for a worker with a free slot".to_owned()),
        LiveState::Blocked => Some("for another run with the same concurrency key to make room".to_owned()),
        LiveState::Sleeping | LiveState::Waiting | LiveState::Paused => by_phase(&history.state.phase, log),
    }
}

fn by_phase(phase: &Phase, log: &[EventRecord]) -> Option<String> {
    match phase {
        Phase::Backoff { until } => {
            let error = last_error(log).unwrap_or("an error");
            Some(format!("the last attempt failed with {error}; the next starts at {}", shown(until)))
        }
        Phase::Sleeping { until } => Some(format!("the step sleeps until {}", shown(until))),
        Phase::Waiting { signal, until: Some(until) } => {
            Some(format!("for the signal {signal}, until {} at most", shown(until)))
        }
        Phase::Waiting { signal, until: None } => Some(format!("for the signal {signal}")),
        Phase::Paused { .. } => Some(paused(log)),
        // A run may have moved on since its live row was read.
        Phase::Runnable | Phase::Finishing | Phase::Failed | Phase::Cancelled | Phase::Completed => None,
    }
}

fn shown(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn last_error(log: &[EventRecord]) -> Option<&str> {
    log.iter().rev().find_map(|record| {
        let Event::StepRetried(retried) = &record.event else {
            return None;
        };
        Some(retried.error.code.as_str())
    })
}

fn paused(log: &[EventRecord]) -> String {
    let pause = log.iter().rev().find_map(|record| {
        let Event::Paused(intervention) = &record.event else {
            return None;
        };
        Some((&record.actor, &intervention.reason))
    });
    match pause {
        Some((actor, reason)) => format!("{actor} paused it: {reason}"),
        None => "it is paused".to_owned(),
    }
}
