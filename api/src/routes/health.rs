//! What load balancers, orchestrators and Prometheus ask. These must answer when the database does not, hence a
//! short time limit on everything they ask of it.

use crate::{metrics, problem::Problem, state::ApiState};
use axum::{
    Json,
    extract::State,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderName},
    },
};
use serde::Serialize;
use std::time::Duration;
use ticketflow_engine::{
    observe,
    store::{
        lease,
        stats::{self, QueueStats},
    },
};
use ticketflow_tickets::ticket;

/// Longest a health check waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a part of the system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Condition {
    Healthy,
    Unhealthy,
    Unknown,
}

/// What the database tells of the queue.
struct Reading {
    queue: QueueStats,
    workers: usize,
    awaiting_approval: i64,
}

async fn read(state: &ApiState) -> Option<Reading> {
    let reading = async {
        let mut connection = state.connection().await?;
        let queue = stats::queue(&mut connection).await?;
        let workers = lease::list(&mut connection).await?;
        let workers = workers.iter().filter(|worker| worker.alive).count();
        let awaiting_approval = ticket::awaiting_approval(&mut connection).await?;
        Ok::<_, Problem>(Reading { queue, workers, awaiting_approval })
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(reading)) => Some(reading),
        Ok(Err(problem)) => {
            problem.log();
            None
        }
        Err(_) => {
            tracing::warn!("the database does not answer a health check in time");
            None
        }
    }
}

/// The state of everything.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: Condition,
    database: Condition,
    queue: Condition,
    detail: Option<String>,
    workers: Option<usize>,
    ready: Option<i64>,
    oldest_ready_seconds: Option<f64>,
    uptime_seconds: i64,
    version: &'static str,
}

/// Whether work that could be done is left lying.
fn queue_condition(reading: Option<&Reading>, stalled_after: Duration) -> (Condition, Option<String>) {
    let Some(reading) = reading else {
        return (Condition::Unknown, Some("the database does not answer".into()));
    };
    let age = reading.queue.oldest_ready_seconds;
    if age <= stalled_after.as_secs_f64() {
        return (Condition::Healthy, None);
    }
    let detail =
        format!("the oldest ready ticket has waited {age:.0} s; {} workers are alive", reading.workers);
    (Condition::Unhealthy, Some(detail))
}

/// `GET /health`
pub(crate) async fn overall(State(state): State<ApiState>) -> (StatusCode, Json<Health>) {
    let reading = read(&state).await;
    let database = if reading.is_some() { Condition::Healthy } else { Condition::Unhealthy };
    let (queue, detail) = queue_condition(reading.as_ref(), state.settings.stalled_after);
    let healthy = database == Condition::Healthy && queue == Condition::Healthy;
    let health = Health {
        status: if healthy { Condition::Healthy } else { Condition::Unhealthy },
        database,
        queue,
        detail,
        workers: reading.as_ref().map(|reading| reading.workers),
        ready: reading.as_ref().map(|reading| reading.queue.ready),
        oldest_ready_seconds: reading.as_ref().map(|reading| reading.queue.oldest_ready_seconds),
        uptime_seconds: (state.client.clock().now() - state.started_at).num_seconds(),
        version: env!("CARGO_PKG_VERSION"),
    };
    (if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}

/// Whether this process may get requests.
#[derive(Debug, Serialize)]
pub(crate) struct Probe {
    status: &'static str,
}

/// `GET /health/live`
pub(crate) async fn live() -> Json<Probe> {
    Json(Probe { status: "alive" })
}

/// `GET /health/ready`
pub(crate) async fn ready(State(state): State<ApiState>) -> (StatusCode, Json<Probe>) {
    if state.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Probe { status: "shutting_down" }));
    }
    match read(&state).await {
        Some(_) => (StatusCode::OK, Json(Probe { status: "ready" })),
        None => (StatusCode::SERVICE_UNAVAILABLE, Json(Probe { status: "database_unavailable" })),
    }
}

/// `GET /metrics`: depth and age are read from the database now, everything else was counted on the way.
pub(crate) async fn scrape(State(state): State<ApiState>) -> ([(HeaderName, &'static str); 1], String) {
    if let Some(reading) = read(&state).await {
        observe::queue(&reading.queue, reading.workers);
        metrics::awaiting_approval(reading.awaiting_approval);
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(oldest_ready_seconds: f64) -> Reading {
        Reading {
            queue: QueueStats { oldest_ready_seconds, ..QueueStats::default() },
            workers: 0,
            awaiting_approval: 0,
        }
    }

    #[test]
    fn a_queue_is_unhealthy_once_its_oldest_run_waits_too_long() {
        let condition = |reading: Option<&Reading>| queue_condition(reading, Duration::from_mins(5)).0;
        assert_eq!(condition(Some(&reading(0.0))), Condition::Healthy);
        assert_eq!(condition(Some(&reading(299.0))), Condition::Healthy);
        assert_eq!(condition(Some(&reading(301.0))), Condition::Unhealthy);
        assert_eq!(condition(None), Condition::Unknown);
    }
}
