//! The metric names of the HTTP API. Nothing that a client can make up ever is a label.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use ticketflow_engine::observe;
use ticketflow_tickets::model::Breaker;

/// Seconds an answer took, by method, route template and status.
pub(crate) const HTTP_DURATION: &str = "http_request_duration_seconds";
/// Tickets posted, by what became of them: `created` or `replayed`.
pub(crate) const TICKETS_CREATED: &str = "tickets_created_total";
/// Whether a model is asked: 0 if it is, 1 if one process tries, 2 if it is not; by provider and model.
pub(crate) const MODEL_BREAKER: &str = "model_breaker_state";
/// Tickets that wait for a person.
pub(crate) const AWAITING_APPROVAL: &str = "awaiting_approval";

/// Registers help texts and units with the installed recorder, and the counters that should not be missing before
/// anything has happened.
pub fn describe() {
    observe::describe();
    ticketflow_tickets::observe::describe();
    describe_histogram!(HTTP_DURATION, Unit::Seconds, "Time an HTTP answer took");
    describe_counter!(TICKETS_CREATED, "Tickets posted, by what became of them");
    describe_gauge!(MODEL_BREAKER, "Whether a model is asked: 0 closed, 1 half open, 2 open");
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

/// Sets whether a model is asked.
pub(crate) fn model_breaker(provider: String, model: String, breaker: Breaker) {
    let state = match breaker {
        Breaker::Closed { .. } => 0.0,
        Breaker::HalfOpen { .. } => 1.0,
        Breaker::Open { .. } => 2.0,
    };
    gauge!(MODEL_BREAKER, "provider" => provider, "model" => model).set(state);
}

/// Sets how many tickets wait for a person.
#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^52")]
pub(crate) fn awaiting_approval(tickets: i64) {
    gauge!(AWAITING_APPROVAL).set(tickets as f64);
}
