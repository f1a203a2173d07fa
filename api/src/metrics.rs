//! The metric names of the HTTP API. Nothing that a client can make up ever is a label.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use ticketflow_engine::observe;

/// Seconds an answer took, by method, route template and status.
pub(crate) const HTTP_DURATION: &str = "http_request_duration_seconds";
/// Tickets posted, by what became of them: `created` or `replayed`.
pub(crate) const TICKETS_CREATED: &str = "tickets_created_total";
/// Tickets that wait for a person.
pub(crate) const AWAITING_APPROVAL: &str = "awaiting_approval";

/// Registers help texts and units with the installed recorder, and the counters that should not be missing before
/// anything has happened.
pub fn describe() {
    observe::describe();
    ticketflow_tickets::observe::describe();
    describe_histogram!(HTTP_DURATION, Unit::Seconds, "Time an HTTP answer took");
    describe_counter!(TICKETS_CREATED, "Tickets posted, by what became of them");
    describe_gauge!(AWAITING_APPROVAL, "Tickets that wait for a person's decision");
    for status in ["created", "replayed"] {
        ticket_posted(status, 0);
    }
    counter!(observe::LEASE_EXPIRED).increment(0);
}

/// Counts tickets that were posted.
pub(crate) fn ticket_posted(status: &'static str, tickets: u64) {
    counter!(TICKETS_CREATED, "status" => status).increment(tickets);
}

/// Sets how many tickets wait for a person.
#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^52")]
pub(crate) fn awaiting_approval(tickets: i64) {
    gauge!(AWAITING_APPROVAL).set(tickets as f64);
}
