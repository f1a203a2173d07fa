//! Owns [`Correction`]: what people said a ticket is about, which training learns from.

use super::{TicketEdit, topics};
use crate::taxonomy::Category;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use ticketflow_engine::{RunId, StoreError, store::event};

/// A ticket whose category a person set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Subject line.
    pub subject: String,
    /// The customer's message.
    pub body: String,
    /// The category that was set last.
    pub category: Category,
}

/// All corrections that the log knows, the oldest ticket first. A ticket whose text was erased is left out.
///
/// # Errors
/// If the database is out of reach or an edit is corrupt.
pub async fn corrections(connection: &mut PgConnection) -> Result<Vec<Correction>, StoreError> {
    let mut set: BTreeMap<RunId, Category> = BTreeMap::new();
    for (run, note) in event::annotations(&mut *connection, topics::EDITED).await? {
        let edit: TicketEdit = serde_json::from_value(note.data).map_err(|error| StoreError::Corrupt {
            table: "run_events",
            column: "payload",
            row: run.to_string(),
            problem: error.to_string(),
        })?;
        set.extend(edit.category.map(|category| (run, category)));
    }
    let buckets: Vec<i16> = set.keys().map(|run| run.bucket().as_i16()).collect();
    let ids: Vec<uuid::Uuid> = set.keys().map(|run| run.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT t.id AS "id: RunId", t.subject, t.body
           FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, id)
           JOIN tickets AS t ON t.bucket = wanted.bucket AND t.id = wanted.id
           ORDER BY t.id"#,
        &buckets,
        &ids,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read corrected tickets"))?;
    let correction = |row: (RunId, String, String)| {
        Some(Correction { category: set.get(&row.0)?.clone(), subject: row.1, body: row.2 })
    };
    Ok(rows.into_iter().filter_map(|row| correction((row.id, row.subject, row.body))).collect())
}
