//! What a run is doing, for operators: its steps, who holds it, and why it waits, in words.
//!
//! Everything is folded from the log and the live row by pure functions; nothing here decides anything.

mod steps;
mod why;

use crate::{extract::RunPath, problem::Problem, state::ApiState};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use steps::StepView;
use ticketflow_engine::{
    ControlError, RunId,
    event::EventRecord,
    history::History,
    store::{
        control::{self, Header, LiveRow},
        event,
        lease::{self, WorkerRow},
        limit, stats,
    },
    workflow::Definition,
};
use why::Surroundings;

/// A worker's right to advance the run.
#[derive(Debug, Serialize)]
struct LeaseView {
    worker: String,
    until: Option<DateTime<Utc>>,
}

/// A run on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    ticket_id: RunId,
    workflow: String,
    version: i32,
    /// `live`, `completed`, `failed` or `cancelled`.
    status: &'static str,
    /// State of the live row: `ready`, `leased`, `sleeping`, …; null once the run is over.
    state: Option<&'static str>,
    step: String,
    attempt: i32,
    crashes: i32,
    lease: Option<LeaseView>,
    wake_at: Option<DateTime<Utc>>,
    waits_because: Option<String>,
    error_code: Option<String>,
    events: i32,
    queue: String,
    priority: i16,
    forked_from: Option<RunId>,
    traceparent: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    steps: Vec<StepView>,
}

impl RunView {
    fn new(
        header: Header,
        live: Option<&LiveRow>,
        history: &History,
        log: &[EventRecord],
        definition: Option<&Definition>,
        around: &Surroundings,
    ) -> Self {
        Self {
            ticket_id: header.id,
            workflow: header.definition.workflow.to_string(),
            version: history.state.definition.version,
            status: header.status.as_str(),
            state: live.map(|live| live.state.as_str()),
            step: history.state.step.to_string(),
            attempt: live.map_or(0, |live| live.attempt),
            crashes: history.state.crashes,
            lease: live.and_then(lease),
            wake_at: live.and_then(|live| live.wake_at),
            waits_because: why::waits(live, history, log, around),
            error_code: header.error_code,
            events: history.seq.0 + 1,
            queue: header.queue,
            priority: header.priority,
            forked_from: header.parent,
            traceparent: header.traceparent,
            created_at: header.created_at,
            finished_at: header.finished_at,
            steps: steps::fold(live, history, log, definition),
        }
    }
}

fn lease(live: &LiveRow) -> Option<LeaseView> {
    let worker = live.worker.clone()?;
    Some(LeaseView { worker, until: live.lease_until })
}

/// `GET /tickets/{id}/run`
pub(crate) async fn show(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
) -> Result<Json<RunView>, Problem> {
    load(&state, run).await.map(Json)
}

/// Reads a run as it stands. The reads share no snapshot: at worst the live row is a moment older than the log.
pub(crate) async fn load(state: &ApiState, run: RunId) -> Result<RunView, Problem> {
    let mut connection = state.connection().await?;
    let live = control::live(&mut connection, run, false).await?;
    let header = control::header(&mut connection, run, false).await?;
    let header = header.ok_or_else(|| Problem::not_found("ticket", &run))?;
    let log = event::load(&mut connection, run, -1).await?;
    let history = History::fold(run, &log).map_err(|source| ControlError::Illegal { run, source })?;
    let definition = state.client.catalog().get(&history.state.definition);
    let definition = definition.map(|definition| &**definition);
    let around = match &live {
        Some(_) => surroundings(&mut connection, &header).await?,
        None => Surroundings::default(),
    };
    Ok(RunView::new(header, live.as_ref(), &history, &log, definition, &around))
}

async fn surroundings(connection: &mut PgConnection, header: &Header) -> Result<Surroundings, Problem> {
    let queues = limit::queues(connection).await?;
    let key = match &header.concurrency_key {
        Some(key) => limit::key(connection, key).await?,
        None => None,
    };
    let definition = header.definition.to_string();
    let workers = lease::list(connection).await?;
    let fits = |worker: &WorkerRow| {
        worker.alive && worker.queues.contains(&header.queue) && worker.definitions.contains(&definition)
    };
    let has_room = |worker: &WorkerRow| {
        fits(worker) && worker.state == "active" && worker.leased < i64::from(worker.capacity)
    };
    Ok(Surroundings {
        queue: queues.into_iter().find(|queue| queue.name == header.queue),
        key,
        has_worker: workers.iter().any(fits),
        has_room: workers.iter().any(has_room),
        now: stats::now(connection).await?,
    })
}
