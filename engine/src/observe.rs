//! Every metric name of the engine and its workers. No label ever carries an id.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::Duration;

/// Seconds a step's attempt took, by step.
pub const STEP_DURATION: &str = "workflow_step_duration_seconds";
/// Attempts, by step and outcome.
pub const STEP_ATTEMPTS: &str = "step_attempts_total";
/// Runs written together in one commit.
pub const COMMIT_BATCH: &str = "commit_batch_size";
/// Leases that ran out.
pub const LEASE_EXPIRED: &str = "lease_expired_total";
/// Seconds from a run's creation to its outcome.
pub const RUN_DURATION: &str = "run_duration_seconds";
/// Runs by outcome.
pub const RUNS_FINISHED: &str = "runs_finished_total";
/// Worker processes alive.
pub const ACTIVE_WORKERS: &str = "active_workers";
/// Live runs, by state.
pub const QUEUE_DEPTH: &str = "queue_depth";
/// Age of the oldest ready run, in seconds.
pub const QUEUE_AGE: &str = "queue_oldest_age_seconds";

/// Registers help texts and units with the installed recorder.
pub fn describe() {
    describe_histogram!(STEP_DURATION, Unit::Seconds, "Time one attempt of a step took");
    describe_counter!(STEP_ATTEMPTS, "Attempts of steps by outcome");
    describe_histogram!(COMMIT_BATCH, "Runs written together in one commit");
    describe_counter!(LEASE_EXPIRED, "Leases that ran out because a worker died or a step never ended");
    describe_histogram!(RUN_DURATION, Unit::Seconds, "Time from creation to outcome");
    describe_counter!(RUNS_FINISHED, "Finished runs by outcome");
    describe_gauge!(ACTIVE_WORKERS, "Worker processes whose lease holds");
    describe_gauge!(QUEUE_DEPTH, "Runs that are not finished, by state");
    describe_gauge!(QUEUE_AGE, Unit::Seconds, "Age of the oldest ready run");
}

pub(crate) fn attempt(step: &str, outcome: &'static str, took: Duration) {
    histogram!(STEP_DURATION, "step" => step.to_owned()).record(took);
    counter!(STEP_ATTEMPTS, "step" => step.to_owned(), "outcome" => outcome).increment(1);
}

pub(crate) fn commit(runs: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some hundred runs")]
    histogram!(COMMIT_BATCH).record(runs as f64);
}

pub(crate) fn finished(status: &'static str, took: Duration) {
    histogram!(RUN_DURATION).record(took);
    counter!(RUNS_FINISHED, "status" => status).increment(1);
}

pub(crate) fn lease_expired(runs: u64) {
    counter!(LEASE_EXPIRED).increment(runs);
}

/// Sets the gauges that are read from the database when somebody scrapes.
#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^52")]
pub fn queue(stats: &crate::store::stats::QueueStats, workers: usize) {
    let depths = [
        ("ready", stats.ready),
        ("blocked", stats.blocked),
        ("leased", stats.leased),
        ("sleeping", stats.sleeping),
        ("waiting", stats.waiting),
        ("paused", stats.paused),
        ("unclaimable", stats.unclaimable),
    ];
    for (state, depth) in depths {
        gauge!(QUEUE_DEPTH, "state" => state).set(depth as f64);
    }
    gauge!(QUEUE_AGE).set(stats.oldest_ready_seconds);
    gauge!(ACTIVE_WORKERS).set(workers as f64);
}
