//! Cron schedules: starts a run of a workflow whenever its time has come, once, whichever process sees it first.

use crate::{
    Client,
    chain::Hash,
    client::EnqueueRequest,
    error::{ControlError, StoreError},
    id::{Actor, RunId},
    loan::Loan,
    pooler::settle,
    status::RunStatus,
    store::{
        control,
        enqueue::{Enqueued, Guard},
        schedule::{self, ScheduleRow},
        stats,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use croner::parser::{CronParser, Seconds, Year};
use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use thiserror::Error;

/// What happens when a schedule fires while its last run is still live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Another run starts.
    Allow,
    /// This time is left out.
    Skip,
}

impl Overlap {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
        }
    }
}

/// A schedule as somebody wants it.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name; the same name replaces it.
    pub name: String,
    /// Workflow to start.
    pub workflow: String,
    /// Five-field cron expression, in UTC.
    pub cron: String,
    /// Input of every run.
    pub input: Box<RawValue>,
    /// What to do while the last run is live.
    pub overlap: Overlap,
}

/// What a schedule can be refused for.
#[derive(Debug, Error)]
pub enum ScheduleError {
    /// Not a cron expression.
    #[error("{cron:?} is not a cron expression of five fields: {problem}")]
    Cron {
        /// What was given.
        cron: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It could not be stored or fired.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl From<StoreError> for ScheduleError {
    fn from(error: StoreError) -> Self {
        Self::Control(error.into())
    }
}

/// The first time after `after` that `cron` names.
///
/// # Errors
/// If it is not a cron expression, or names no time to come.
pub fn next_time(cron: &str, after: DateTime<Utc>) -> Result<DateTime<Utc>, ScheduleError> {
    let refuse = |problem: croner::errors::CronError| ScheduleError::Cron {
        cron: cron.to_owned(),
        problem: problem.to_string(),
    };
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let parsed = parser.parse(cron).map_err(refuse)?;
    parsed.find_next_occurrence(&after, false).map_err(refuse)
}

/// Stores a schedule; it fires first at the next time its expression names.
///
/// # Errors
/// If the expression, the workflow or the input is wrong.
pub async fn put(client: &Client, schedule: &Schedule) -> Result<DateTime<Utc>, ScheduleError> {
    let definition = client
        .catalog()
        .latest(&schedule.workflow)
        .ok_or_else(|| ControlError::UnknownDefinition(crate::DefinitionId::new(&schedule.workflow, 1)))?;
    definition.check_input(&schedule.input).map_err(|error| ControlError::BadValue {
        what: "the input".to_owned(),
        problem: error.to_string(),
    })?;
    let mut connection = client.pool().acquire().await.map_err(StoreError::database("connect"))?;
    let next_at = next_time(&schedule.cron, stats::now(&mut connection).await?)?;
    let row = ScheduleRow {
        name: schedule.name.clone(),
        workflow: schedule.workflow.clone(),
        cron: schedule.cron.clone(),
        input: schedule.input.get().to_owned(),
        overlap: schedule.overlap.as_str().to_owned(),
        paused: false,
        next_at,
        last_run_id: None,
    };
    schedule::put(&mut connection, &row).await?;
    settle(&mut connection).await?;
    Ok(next_at)
}

/// Fires every schedule that is due and whose workflow this process knows; returns the runs started. One that cannot
/// fire is logged and keeps no other from firing: it is moved on to its next time, or paused if it has none.
///
/// # Errors
/// If the database is out of reach.
pub async fn fire_due(client: &Client) -> Result<Vec<RunId>, ScheduleError> {
    let known: BTreeSet<&str> = client.catalog().iter().map(|definition| &*definition.id.workflow).collect();
    let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
    let mut started = Vec::new();
    loop {
        // One connection each: by way of a pooler, what is done on one is committed together.
        let mut connection = Loan::of(client.pool()).await?;
        let fired = fire_next(client, &mut connection, &known).await?;
        connection.give_back().await?;
        match fired {
            Some(fired) => started.extend(fired.run),
            None => return Ok(started),
        }
    }
}

/// A schedule whose time had come, and what that started.
struct Fired {
    run: Option<RunId>,
}

async fn fire_next(
    client: &Client,
    connection: &mut PgConnection,
    known: &[String],
) -> Result<Option<Fired>, ScheduleError> {
    let mut transaction =
        connection.begin().await.map_err(StoreError::database("begin to fire a schedule"))?;
    let Some(due) = schedule::lock_due(&mut transaction, known).await? else {
        return Ok(None);
    };
    let now = stats::now(&mut transaction).await?;
    let run = fire_alone(client, &mut transaction, &due).await?;
    match next_time(&due.cron, now) {
        Ok(next_at) => schedule::fired(&mut transaction, &due.name, next_at, run).await?,
        Err(error) => {
            report(&due, &error, "paused: it has no time to come");
            schedule::pause(&mut transaction, &due.name).await?;
        }
    }
    transaction.commit().await.map_err(StoreError::database("commit a schedule's run"))?;
    Ok(Some(Fired { run }))
}

/// Fires within a savepoint: what the database refuses is taken back, and the transaction goes on.
async fn fire_alone(
    client: &Client,
    connection: &mut PgConnection,
    due: &ScheduleRow,
) -> Result<Option<RunId>, ScheduleError> {
    let mut savepoint = connection.begin().await.map_err(StoreError::database("set a savepoint"))?;
    match fire(client, &mut savepoint, due).await {
        Ok(run) => {
            savepoint.commit().await.map_err(StoreError::database("release a savepoint"))?;
            Ok(run)
        }
        Err(ControlError::Store(error)) if error.is_transient() => Err(error.into()),
        Err(error) => {
            savepoint.rollback().await.map_err(StoreError::database("roll back to a savepoint"))?;
            report(due, &error, "not started");
            Ok(None)
        }
    }
}

fn report(due: &ScheduleRow, error: &(dyn std::error::Error + 'static), message: &'static str) {
    tracing::error!(schedule.name = due.name, error, message);
}

async fn fire(
    client: &Client,
    connection: &mut PgConnection,
    due: &ScheduleRow,
) -> Result<Option<RunId>, ControlError> {
    if due.overlap == Overlap::Skip.as_str() && is_live(connection, due.last_run_id).await? {
        tracing::info!(schedule.name = due.name, "left out: the last run is still live");
        return Ok(None);
    }
    let input = RawValue::from_string(due.input.clone()).map_err(|error| ControlError::BadValue {
        what: "the schedule's input".to_owned(),
        problem: error.to_string(),
    })?;
    let mut request = EnqueueRequest::new(&due.workflow, input, Actor::new("scheduler"));
    let key = format!("schedule\0{}\0{}", due.name, due.next_at.timestamp_micros());
    request.guard = Some(Guard {
        key_hash: Hash::of(key.as_bytes()),
        request_hash: Hash::of(due.input.as_bytes()),
        window: TimeDelta::days(1),
    });
    match client.enqueue_in(connection, request).await? {
        Enqueued::Created(run) => Ok(Some(run)),
        Enqueued::Replayed(_) | Enqueued::KeyReused(_) => Ok(None),
    }
}

async fn is_live(connection: &mut PgConnection, run: Option<RunId>) -> Result<bool, StoreError> {
    let Some(run) = run else { return Ok(false) };
    let header = control::header(connection, run, false).await?;
    Ok(header.is_some_and(|header| header.status == RunStatus::Live))
}
