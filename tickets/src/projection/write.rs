//! Carries out what events change, for many tickets in few statements: the rows travel as one JSON array.
//!
//! Whoever writes a ticket's rows holds its run's lock, so rows are never locked in two orders.

use super::{
    apply::first_row,
    patch::{TicketPatch, patch_of},
    request::{Closing, requests},
};
use crate::{approval::ApprovalRow, ticket::TicketRow};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use std::ops::Range;
use ticketflow_engine::{Change, RunId, event::Event, topology::only_bucket};
use uuid::Uuid;

/// A ticket's patch with its key.
#[derive(Serialize)]
struct Keyed {
    bucket: i16,
    id: RunId,
    #[serde(flatten)]
    patch: TicketPatch,
}

/// Brings both tables up to date.
pub(super) async fn apply(connection: &mut PgConnection, changes: &[Change<'_>]) -> Result<(), sqlx::Error> {
    let created: Vec<TicketRow> = changes.iter().filter_map(created).collect::<Result<_, _>>()?;
    if !created.is_empty() {
        insert(connection, &created).await?;
    }
    let mut rounds: Vec<Vec<Keyed>> = Vec::new();
    for change in changes {
        add_patches(change, &mut rounds);
    }
    for round in rounds {
        update(connection, round).await?;
    }
    let (mut closings, mut opened) = (Vec::new(), Vec::new());
    for requests in changes.iter().map(requests) {
        closings.extend(requests.closing);
        opened.extend(requests.opened);
    }
    if !closings.is_empty() {
        close(connection, closings).await?;
    }
    if !opened.is_empty() {
        open(connection, &opened).await?;
    }
    Ok(())
}

/// Removes the tickets of one bucket with ids in a range, and what hangs on them.
pub(super) async fn forget(
    connection: &mut PgConnection,
    bucket: i16,
    ids: &Range<Uuid>,
) -> Result<(), sqlx::Error> {
    let (low, high) = (ids.start, ids.end);
    sqlx::query!(
        "DELETE FROM approvals WHERE bucket = $1 AND ticket_id >= $2 AND ticket_id < $3",
        bucket,
        low,
        high
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM model_answers WHERE bucket = $1 AND run_id >= $2 AND run_id < $3",
        bucket,
        low,
        high
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM ticket_words WHERE bucket = $1 AND id >= $2 AND id < $3", bucket, low, high)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM tickets WHERE bucket = $1 AND id >= $2 AND id < $3", bucket, low, high)
        .execute(connection)
        .await?;
    Ok(())
}

fn created(change: &Change<'_>) -> Option<Result<TicketRow, sqlx::Error>> {
    let first = change.events.first()?;
    match &first.event {
        Event::Created(created) => {
            Some(first_row(change.run, first, created).map_err(|error| sqlx::Error::Encode(error.into())))
        }
        Event::StepCompleted(_)
        | Event::StepRetried(_)
        | Event::Slept(_)
        | Event::Waited(_)
        | Event::SignalReceived(_)
        | Event::WaitTimedOut(_)
        | Event::LeaseExpired(_)
        | Event::Noted(_)
        | Event::Annotated(_)
        | Event::Paused(_)
        | Event::Resumed(_)
        | Event::RetriedNow(_)
        | Event::Migrated(_)
        | Event::Cancelled(_)
        | Event::Failed(_)
        | Event::Completed(_) => None,
    }
}

/// Puts a ticket's patches into rounds. A statement changes a row once, so patches that cannot be written together
/// stand in different rounds; there is one round but for pauses.
fn add_patches(change: &Change<'_>, rounds: &mut Vec<Vec<Keyed>>) {
    let mut patches: Vec<TicketPatch> = Vec::new();
    for patch in change.events.iter().map(patch_of) {
        match patches.pop() {
            Some(last) if last.takes(&patch) => patches.push(last.then(patch)),
            Some(last) => patches.extend([last, patch]),
            None => patches.push(patch),
        }
    }
    let patches = patches.into_iter().filter(|patch| patch.version.is_some());
    for (round, patch) in patches.enumerate() {
        if rounds.len() <= round {
            rounds.push(Vec::new());
        }
        rounds[round].push(Keyed { bucket: change.run.bucket().as_i16(), id: change.run, patch });
    }
}

async fn insert(connection: &mut PgConnection, rows: &[TicketRow]) -> Result<(), sqlx::Error> {
    let buckets: Vec<i16> = rows.iter().map(|row| row.id.bucket().as_i16()).collect();
    sqlx::query_file!("src/projection/insert.sql", Json(rows) as _, &buckets).execute(connection).await?;
    Ok(())
}

/// Tickets of one bucket are written by the statement that names it, which is the one for Citus.
async fn update(connection: &mut PgConnection, patches: Vec<Keyed>) -> Result<(), sqlx::Error> {
    let buckets: Vec<i16> = patches.iter().map(|patch| patch.bucket).collect();
    match only_bucket(&buckets) {
        Some(bucket) => {
            let query = sqlx::query_file!("src/projection/update_in_bucket.sql", Json(patches) as _, bucket);
            query.execute(connection).await?
        }
        None => {
            sqlx::query_file!("src/projection/update.sql", Json(patches) as _).execute(connection).await?
        }
    };
    Ok(())
}

/// The statement, and what follows its conditions: nothing, or that the request is of one bucket.
macro_rules! close_query {
    ($of:literal, $($argument:tt)+) => {
        sqlx::query!(
            "UPDATE approvals AS a
             SET is_open = false, status = p.status, decided_at = p.decided_at, decided_by = p.decided_by,
                 reason = p.reason, edited_response = p.edited_response, instructions = p.instructions,
                 approved_actions = p.approved_actions, decision_key = p.decision_key
             FROM jsonb_to_recordset($1) AS p (
                 bucket smallint, ticket_id uuid, status text, decided_at timestamptz, decided_by text, reason text,
                 edited_response text, instructions text, approved_actions text[], decision_key text
             )
             WHERE a.bucket = p.bucket AND a.ticket_id = p.ticket_id AND a.is_open" + $of,
            $($argument)+
        )
    };
}

async fn close(connection: &mut PgConnection, closings: Vec<Closing>) -> Result<(), sqlx::Error> {
    let buckets: Vec<i16> = closings.iter().map(|closing| closing.bucket).collect();
    match only_bucket(&buckets) {
        Some(bucket) => {
            close_query!(" AND a.bucket = $2", Json(closings) as _, bucket).execute(connection).await?
        }
        None => close_query!("", Json(closings) as _).execute(connection).await?,
    };
    Ok(())
}

async fn open(connection: &mut PgConnection, rows: &[ApprovalRow]) -> Result<(), sqlx::Error> {
    let buckets: Vec<i16> = rows.iter().map(|row| row.ticket_id.bucket().as_i16()).collect();
    sqlx::query!(
        "INSERT INTO approvals (
             bucket, ticket_id, seq, is_open, status, draft, reasons, requested_at, deadline, decided_at, decided_by,
             reason, edited_response, actions, redrafts_left, instructions, approved_actions, decision_key
         )
         SELECT ($2::smallint[])[p.position], p.ticket_id, p.seq, p.is_open, p.status, p.draft, p.reasons, p.requested_at, p.deadline,
                p.decided_at, p.decided_by, p.reason, p.edited_response, p.actions, p.redrafts_left, p.instructions,
                p.approved_actions, p.decision_key
         FROM ROWS FROM (jsonb_to_recordset($1) AS (
             ticket_id uuid, seq integer, is_open boolean, status text, draft text, reasons text[],
             requested_at timestamptz, deadline timestamptz, decided_at timestamptz, decided_by text, reason text,
             edited_response text, actions jsonb, redrafts_left smallint, instructions text, approved_actions text[],
             decision_key text
         )) WITH ORDINALITY AS p (
             ticket_id, seq, is_open, status, draft, reasons, requested_at, deadline, decided_at, decided_by, reason,
             edited_response, actions, redrafts_left, instructions, approved_actions, decision_key, position
         )",
        Json(rows) as _,
        &buckets,
    )
    .execute(connection)
    .await?;
    Ok(())
}
