//! The audit of the read models: folds whole logs and compares the outcome with the stored rows, field by field.

use super::{
    apply::{apply, first_row},
    patch::patch_of,
    request::requests,
};
use crate::{
    approval::{self, ApprovalRow, ApprovalStatus},
    clean::same_json,
    ticket::{self, TicketRow},
};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use std::collections::HashMap;
use ticketflow_engine::{Change, RunId, event::Event};

/// Describes every difference between the stored rows and what the logs say.
pub(super) async fn verify(
    connection: &mut PgConnection,
    logs: &[Change<'_>],
) -> Result<Vec<String>, sqlx::Error> {
    let runs: Vec<RunId> = logs.iter().map(|log| log.run).collect();
    let rows = ticket::load(connection, &runs).await?;
    let mut rows: HashMap<RunId, TicketRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut approvals: HashMap<RunId, Vec<ApprovalRow>> = HashMap::new();
    for row in approval::load(connection, &runs).await? {
        approvals.entry(row.ticket_id).or_default().push(row);
    }
    let mut differences = unfindable(connection, &runs).await?;
    for log in logs {
        let stored = rows.remove(&log.run);
        match (folded(log), stored) {
            (Some(folded), Some(stored)) => {
                compare(log.run, "tickets", &fields(&folded), &fields(&stored), &mut differences);
            }
            (Some(_), None) => differences.push(format!("{}: it has no row in tickets", log.run)),
            (None, _) => differences.push(format!("{}: its input is no ticket", log.run)),
        }
        let stored = approvals.remove(&log.run).unwrap_or_default();
        compare_requests(log, stored, &mut differences);
    }
    Ok(differences)
}

/// Tickets that no search for words finds.
async fn unfindable(connection: &mut PgConnection, runs: &[RunId]) -> Result<Vec<String>, sqlx::Error> {
    let buckets: Vec<i16> = runs.iter().map(|run| run.bucket().as_i16()).collect();
    let ids: Vec<uuid::Uuid> = runs.iter().map(|run| run.as_uuid()).collect();
    let missing = sqlx::query_scalar!(
        r#"SELECT t.id AS "id: RunId"
           FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, id)
           JOIN tickets AS t ON t.bucket = wanted.bucket AND t.id = wanted.id
           LEFT JOIN ticket_words AS w ON w.bucket = t.bucket AND w.id = t.id
           WHERE w.words IS DISTINCT FROM to_tsvector('simple', t.subject || ' ' || t.body)"#,
        &buckets,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(missing.into_iter().map(|run| format!("{run}: ticket_words are not those of its text")).collect())
}

/// The row that a log makes.
pub(super) fn folded(log: &Change<'_>) -> Option<TicketRow> {
    let (first, rest) = log.events.split_first()?;
    let Event::Created(created) = &first.event else { return None };
    let mut row = first_row(log.run, first, created).ok()?;
    for record in rest {
        apply(&mut row, patch_of(record));
    }
    Some(row)
}

fn compare_requests(log: &Change<'_>, mut stored: Vec<ApprovalRow>, differences: &mut Vec<String>) {
    let expected = requests(log).opened;
    if expected.len() != stored.len() {
        let detail =
            format!("{}: its log asks for {} approvals, there are {}", log.run, expected.len(), stored.len());
        return differences.push(detail);
    }
    for (expected, stored) in expected.iter().zip(&mut stored) {
        if expected.is_open && stored.is_open {
            take_back_decision(stored);
        }
        compare(log.run, "approvals", &fields(expected), &fields(stored), differences);
    }
}

/// A decision is marked when it is made and logged when the run takes it; in between only the row knows.
fn take_back_decision(open: &mut ApprovalRow) {
    open.status = ApprovalStatus::Pending.to_string();
    open.decided_at = None;
    open.decided_by = None;
    open.reason = None;
    open.edited_response = None;
    open.instructions = None;
    open.approved_actions = None;
    open.decision_key = None;
}

fn fields(row: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => fields,
        // A row is a struct of plain values.
        Ok(_) | Err(_) => Map::new(),
    }
}

fn compare(
    run: RunId,
    table: &str,
    expected: &Map<String, Value>,
    stored: &Map<String, Value>,
    differences: &mut Vec<String>,
) {
    for (column, expected) in expected {
        let stored = stored.get(column).unwrap_or(&Value::Null);
        if !same_json(expected, stored) {
            let detail =
                format!("{run}: {table}.{column} is {}, its log says {}", short(stored), short(expected));
            differences.push(detail);
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
