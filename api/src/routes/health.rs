//! What load balancers, orchestrators and Prometheus ask. These must answer when the database does not, hence a
//! short time limit on everything they ask of it. The health checks, which many ask and often, cost the same however
//! many runs there are; only `/metrics` counts them.

use super::models;
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
        schema::{self, Standing},
        stats::{self, QueueStats},
    },
};
use ticketflow_tickets::{
    model::{Breaker, breaker::ModelBreaker},
    ticket,
};

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

/// What the health check asks of the database.
struct Vitals {
    oldest_ready_seconds: f64,
    workers: i64,
}

/// Asks the database, but not for long.
async fn ask<T>(reading: impl Future<Output = Result<T, Problem>>) -> Option<T> {
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

async fn vitals(state: &ApiState) -> Result<Vitals, Problem> {
    let mut connection = state.connection().await?;
    let oldest_ready_seconds = stats::oldest_ready_seconds(&mut connection, state.client.topology()).await?;
    let workers = lease::count_alive(&mut connection).await?;
    Ok(Vitals { oldest_ready_seconds, workers })
}

async fn standing(state: &ApiState) -> Result<Standing, Problem> {
    let mut connection = state.connection().await?;
    let schema = [&ticketflow_engine::MIGRATOR, &ticketflow_tickets::MIGRATOR];
    Ok(schema::standing(&mut connection, &schema).await?)
}

/// The state of everything.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: Condition,
    database: Condition,
    queue: Condition,
    detail: Option<String>,
    workers: Option<i64>,
    oldest_ready_seconds: Option<f64>,
    uptime_seconds: i64,
    version: &'static str,
}

/// Whether work that could be done is left lying.
fn queue_condition(vitals: Option<&Vitals>, stalled_after: Duration) -> (Condition, Option<String>) {
    let Some(vitals) = vitals else {
        return (Condition::Unknown, Some("the database does not answer".into()));
    };
    let age = vitals.oldest_ready_seconds;
    if age <= stalled_after.as_secs_f64() {
        return (Condition::Healthy, None);
    }
    let detail = format!("the oldest ready ticket has waited {age:.0} s; workers alive: {}", vitals.workers);
    (Condition::Unhealthy, Some(detail))
}

/// `GET /health`
pub(crate) async fn overall(State(state): State<ApiState>) -> (StatusCode, Json<Health>) {
    let vitals = ask(vitals(&state)).await;
    let database = if vitals.is_some() { Condition::Healthy } else { Condition::Unhealthy };
    let (queue, detail) = queue_condition(vitals.as_ref(), state.settings.stalled_after);
    let healthy = database == Condition::Healthy && queue == Condition::Healthy;
    let health = Health {
        status: if healthy { Condition::Healthy } else { Condition::Unhealthy },
        database,
        queue,
        detail,
        workers: vitals.as_ref().map(|vitals| vitals.workers),
        oldest_ready_seconds: vitals.as_ref().map(|vitals| vitals.oldest_ready_seconds),
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
    let unready = match ask(standing(&state)).await {
        Some(standing) if !standing.required.is_empty() => "program_outdated",
        Some(standing) if standing.pending > 0 => "schema_outdated",
        Some(_) => return (StatusCode::OK, Json(Probe { status: "ready" })),
        None => "database_unavailable",
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(Probe { status: unready }))
}

/// How a process and all it depends on are, for people who look for what is wrong.
#[derive(Debug, Serialize)]
pub(crate) struct Deep {
    status: Condition,
    database: Condition,
    queue: Condition,
    detail: Option<String>,
    workers: Option<i64>,
    /// Migrations that this program knows and the database has not.
    pending_migrations: Option<usize>,
    /// Unhealthy as soon as one is not asked. Tickets are triaged all the same.
    models: Condition,
    breakers: Vec<ModelBreaker>,
}

/// `GET /health/deep`: 200 whatever it finds, for what is wrong with a model is no reason to restart a process.
pub(crate) async fn deep(State(state): State<ApiState>) -> Json<Deep> {
    let (vitals, standing) = (ask(vitals(&state)).await, ask(standing(&state)).await);
    let breakers = ask(models::breakers(&state)).await;
    let database = if vitals.is_some() { Condition::Healthy } else { Condition::Unhealthy };
    let (queue, detail) = queue_condition(vitals.as_ref(), state.settings.stalled_after);
    let models = breakers.as_deref().map_or(Condition::Unknown, models_condition);
    let all_healthy = [database, queue, models].iter().all(|condition| *condition == Condition::Healthy);
    Json(Deep {
        status: if all_healthy { Condition::Healthy } else { Condition::Unhealthy },
        database,
        queue,
        detail,
        workers: vitals.as_ref().map(|vitals| vitals.workers),
        pending_migrations: standing.map(|standing| standing.pending),
        models,
        breakers: breakers.unwrap_or_default(),
    })
}

/// Whether every model is asked.
fn models_condition(breakers: &[ModelBreaker]) -> Condition {
    let asked = breakers.iter().all(|found| matches!(found.breaker, Breaker::Closed { .. }));
    if asked { Condition::Healthy } else { Condition::Unhealthy }
}

/// What Prometheus is told of the queue.
struct Depth {
    queue: QueueStats,
    workers: usize,
    awaiting_approval: i64,
    breakers: Vec<ModelBreaker>,
}

async fn depth(state: &ApiState) -> Result<Depth, Problem> {
    let mut connection = state.connection().await?;
    let queue = stats::queue(&mut connection).await?;
    let workers = usize::try_from(lease::count_alive(&mut connection).await?).unwrap_or_default();
    let awaiting_approval = ticket::awaiting_approval(&mut connection).await?;
    drop(connection);
    Ok(Depth { queue, workers, awaiting_approval, breakers: models::breakers(state).await? })
}

/// `GET /metrics`: depth and age are read from the database now, everything else was counted on the way.
pub(crate) async fn scrape(State(state): State<ApiState>) -> ([(HeaderName, &'static str); 1], String) {
    if let Some(depth) = ask(depth(&state)).await {
        observe::queue(&depth.queue, depth.workers);
        metrics::awaiting_approval(depth.awaiting_approval);
        models::show(&depth.breakers);
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_unhealthy_once_its_oldest_run_waits_too_long() {
        let condition = |age: f64| {
            let vitals = Vitals { oldest_ready_seconds: age, workers: 0 };
            queue_condition(Some(&vitals), Duration::from_mins(5)).0
        };
        assert_eq!(condition(0.0), Condition::Healthy);
        assert_eq!(condition(299.0), Condition::Healthy);
        assert_eq!(condition(301.0), Condition::Unhealthy);
        assert_eq!(queue_condition(None, Duration::from_mins(5)).0, Condition::Unknown);
    }
}
