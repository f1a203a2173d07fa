//! The metric names of tickets, as far as their outcome goes.

use chrono::{DateTime, Utc};
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use ticketflow_engine::{Change, RunId, event::EventKind};

/// Tickets by outcome.
pub const PROCESSED: &str = "tickets_processed_total";
/// Seconds from a ticket's creation to its outcome.
pub const DURATION: &str = "ticket_processing_duration_seconds";

/// Registers help texts and units with the installed recorder.
pub fn describe() {
    describe_counter!(PROCESSED, "Tickets by outcome");
    describe_histogram!(DURATION, Unit::Seconds, "Time from creation to outcome");
}

/// Counts the outcomes among changes that were written.
pub(crate) fn outcomes(changes: &[Change<'_>]) {
    for change in changes {
        for record in change.events {
            if let Some(status) = outcome(record.event.kind()) {
                counter!(PROCESSED, "status" => status).increment(1);
                histogram!(DURATION).record(age(change.run, record.at));
            }
        }
    }
}

fn outcome(kind: EventKind) -> Option<&'static str> {
    match kind {
        EventKind::Completed => Some("completed"),
        EventKind::Failed => Some("failed_permanent"),
        EventKind::Cancelled => Some("cancelled"),
        EventKind::Created
        | EventKind::StepCompleted
        | EventKind::StepRetried
        | EventKind::Slept
        | EventKind::Waited
        | EventKind::SignalReceived
        | EventKind::WaitTimedOut
        | EventKind::LeaseExpired
        | EventKind::Noted
        | EventKind::Annotated
        | EventKind::Paused
        | EventKind::Resumed
        | EventKind::RetriedNow
        | EventKind::Migrated => None,
    }
}

/// Seconds since the run was created: its id carries when that was.
fn age(run: RunId, at: DateTime<Utc>) -> f64 {
    let created = run.as_uuid().get_timestamp().map_or((0, 0), |stamp| stamp.to_unix());
    let created =
        i64::try_from(created.0).ok().and_then(|seconds| DateTime::from_timestamp(seconds, created.1));
    created.map_or(0.0, |created| (at - created).as_seconds_f64().max(0.0))
}
