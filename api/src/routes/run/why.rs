//! Says in words why a run does not move.

use chrono::{DateTime, SecondsFormat, Utc};
use ticketflow_engine::{
    event::{Event, EventRecord},
    history::History,
    status::LiveState,
    store::{control::LiveRow, limit::Occupied},
    transition::Phase,
};
use ticketflow_tickets::triage::APPROVAL_SIGNAL;

/// What around a run may hold it up.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// Its queue, if an operator has set something for it.
    pub(super) queue: Option<Occupied>,
    /// Its concurrency key, if it has one.
    pub(super) key: Option<Occupied>,
    /// Whether some live worker claims from its queue and knows its workflow.
    pub(super) has_worker: bool,
    /// Whether one of them has a free slot.
    pub(super) has_room: bool,
    /// The database's time.
    pub(super) now: DateTime<Utc>,
}

/// Why the run waits; `None`: it does not, for a worker has it or it is over.
pub(super) fn waits(
    live: Option<&LiveRow>,
    history: &History,
    log: &[EventRecord],
    around: &Surroundings,
) -> Option<String> {
    let live = live?;
    match live.state {
        LiveState::Leased => None,
        LiveState::Ready => Some(around.holds_up().unwrap_or_else(|| around.worker().to_owned())),
        LiveState::Blocked => Some(around.blocked()),
        LiveState::Sleeping | LiveState::Waiting | LiveState::Paused => {
            let reason = by_phase(&history.state.phase, log)?;
            let is_due = live.state != LiveState::Paused && live.wake_at.is_some_and(|at| at <= around.now);
            let held = around.holds_up().filter(|_| is_due);
            Some(held.map_or(reason.clone(), |held| format!("{reason}; that time has come, but {held}")))
        }
    }
}

impl Surroundings {
    /// What keeps a run that could go on from being claimed.
    fn holds_up(&self) -> Option<String> {
        if let Some(queue) = self.queue.as_ref().filter(|queue| queue.paused) {
            return Some(format!("its queue {} is paused", queue.name));
        }
        if !self.has_worker {
            return Some("no live worker claims from its queue and knows its workflow".to_owned());
        }
        if let Some(queue) = self.queue.as_ref().filter(|queue| queue.is_full()) {
            return Some(format!("its queue {} is at its limit: {}", queue.name, taken(queue)));
        }
        let key = self.key.as_ref().filter(|key| key.is_full())?;
        Some(format!("its concurrency key {} is at its limit: {}", key.name, taken(key)))
    }

    /// For whom a run waits that nothing holds up.
    const fn worker(&self) -> &'static str {
        if self.has_room {
            "for a worker; one with a free slot will take it at once"
        } else {
            "for a worker with a free slot: all are busy"
        }
    }

    fn blocked(&self) -> String {
        let Some(key) = &self.key else {
            return "for another run with the same concurrency key to make room".to_owned();
        };
        let name = &key.name;
        format!("for another run with the concurrency key {name} to make room: {}", taken(key))
    }
}

fn taken(occupied: &Occupied) -> String {
    match occupied.max_leased {
        Some(limit) => format!("{} of {limit} runs are leased", occupied.leased),
        None => format!("{} runs are leased", occupied.leased),
    }
}

fn by_phase(phase: &Phase, log: &[EventRecord]) -> Option<String> {
    match phase {
        Phase::Backoff { until } => {
            let error = last_error(log).unwrap_or("an error");
            Some(format!("the last attempt failed with {error}; the next starts at {}", shown(until)))
        }
        Phase::Sleeping { until } => Some(format!("the step sleeps until {}", shown(until))),
        Phase::Waiting { signal, until } => Some(for_signal(signal, until.as_ref())),
        Phase::Paused { .. } => Some(paused(log)),
        // A run may have moved on since its live row was read.
        Phase::Runnable | Phase::Finishing | Phase::Failed | Phase::Cancelled | Phase::Completed => None,
    }
}

fn for_signal(signal: &str, until: Option<&DateTime<Utc>>) -> String {
    match (signal, until.map(shown)) {
        (APPROVAL_SIGNAL, Some(until)) => {
            format!("for a person's approval until {until}, when its priority is raised and it waits on")
        }
        (APPROVAL_SIGNAL, None) => "for a person's approval".to_owned(),
        (signal, Some(until)) => format!("for the signal {signal}, until {until} at most"),
        (signal, None) => format!("for the signal {signal}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn occupied(name: &str, max_leased: Option<i32>, leased: i32, paused: bool) -> Occupied {
        Occupied { name: name.to_owned(), max_leased, leased, paused }
    }

    #[test]
    fn an_approval_is_a_persons_and_other_signals_have_their_name() {
        let until = Some(&DateTime::UNIX_EPOCH);
        let approval = for_signal("approval", until);
        assert!(approval.starts_with("for a person's approval until 1970-01-01T00:00:00Z"), "{approval}");
        assert_eq!(for_signal("approval", None), "for a person's approval");
        assert_eq!(for_signal("rain", None), "for the signal rain");
    }

    #[test]
    fn what_holds_a_ready_run_up_is_named() {
        let free = Surroundings { has_worker: true, ..Surroundings::default() };
        assert_eq!(free.holds_up(), None);
        let roomy = Surroundings { queue: Some(occupied("q", Some(2), 1, false)), ..free.clone() };
        assert_eq!(roomy.holds_up(), None);
        let cases = [
            (
                Surroundings { queue: Some(occupied("q", None, 0, true)), ..free.clone() },
                "its queue q is paused",
            ),
            (
                Surroundings { queue: Some(occupied("q", Some(2), 2, false)), ..free.clone() },
                "its queue q is at its limit: 2 of 2 runs are leased",
            ),
            (
                Surroundings { key: Some(occupied("w/k", Some(1), 1, false)), ..free.clone() },
                "its concurrency key w/k is at its limit: 1 of 1 runs are leased",
            ),
            (
                Surroundings { has_worker: false, ..free.clone() },
                "no live worker claims from its queue and knows its workflow",
            ),
        ];
        for (around, expected) in cases {
            assert_eq!(around.holds_up().as_deref(), Some(expected));
        }
    }
}
