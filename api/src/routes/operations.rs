//! The queue and the workers, for operators.

use crate::{problem::Problem, state::ApiState};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use ticketflow_engine::{
    WorkerId,
    store::{
        lease::{self, WorkerRow},
        stats::{self, QueueStats},
    },
};

/// `GET /queue/stats`
pub(crate) async fn queue(State(state): State<ApiState>) -> Result<Json<QueueStats>, Problem> {
    let mut connection = state.connection().await?;
    Ok(Json(stats::queue(&mut connection).await?))
}

/// A worker on the wire.
#[derive(Debug, Serialize)]
struct WorkerView {
    id: WorkerId,
    name: String,
    state: String,
    alive: bool,
    capacity: i32,
    leased: i64,
    queues: Vec<String>,
    definitions: Vec<String>,
    started_at: DateTime<Utc>,
    lease_until: DateTime<Utc>,
}

impl From<WorkerRow> for WorkerView {
    fn from(row: WorkerRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            state: row.state,
            alive: row.alive,
            capacity: row.capacity,
            leased: row.leased,
            queues: row.queues,
            definitions: row.definitions,
            started_at: row.started_at,
            lease_until: row.expires_at,
        }
    }
}

/// Every worker that is known.
#[derive(Debug, Serialize)]
pub(crate) struct Workers {
    workers: Vec<WorkerView>,
}

/// `GET /workers`
pub(crate) async fn workers(State(state): State<ApiState>) -> Result<Json<Workers>, Problem> {
    let mut connection = state.connection().await?;
    let rows = lease::list(&mut connection).await?;
    Ok(Json(Workers { workers: rows.into_iter().map(WorkerView::from).collect() }))
}
