//! Owns [`TicketRow`], a row of `tickets` as it is stored. The projection folds logs into it; everybody else reads it
//! as a [`Ticket`](super::Ticket).

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use ticketflow_engine::RunId;

/// A row of `tickets`. The columns carry comments in the schema.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
#[expect(missing_docs, reason = "the schema says what each column means")]
pub struct TicketRow {
    pub id: RunId,
    pub subject: String,
    pub body: String,
    pub customer_id: String,
    pub channel: String,
    pub metadata: Value,
    pub status: String,
    pub paused_from: Option<String>,
    /// Not stored: the log has it, and who shows a ticket folds it from there.
    #[serde(skip)]
    #[sqlx(default)]
    pub result: Option<Value>,
    pub category: Option<String>,
    pub priority: Option<String>,
    pub confidence: Option<f64>,
    pub language: Option<String>,
    pub sentiment: Option<i16>,
    pub needs_review: bool,
    pub action: Option<String>,
    pub assignee: Option<String>,
    pub tags: Vec<String>,
    pub attempt_count: i32,
    pub ai_fallback: bool,
    pub tokens_input: Option<i64>,
    pub tokens_output: Option<i64>,
    pub cost_nanos: Option<i64>,
    pub edit_distance: Option<f64>,
    pub corrected: Option<Value>,
    pub version: i64,
    pub error_code: Option<String>,
    pub forked_from: Option<RunId>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of [`TicketRow`], for statements that are put together at run time.
pub(super) const COLUMNS: &str = "id, subject, body, customer_id, channel, metadata, status, paused_from, \
    category, priority, confidence, language, sentiment, needs_review, action, assignee, tags, attempt_count, \
    ai_fallback, tokens_input, tokens_output, cost_nanos, edit_distance, corrected, version, error_code, forked_from, created_at, started_at, \
    completed_at, resolved_at, updated_at";

/// The rows of these tickets, in no particular order; those that do not exist are left out.
///
/// # Errors
/// If the database is out of reach.
pub(crate) async fn load(
    connection: &mut PgConnection,
    ids: &[RunId],
) -> Result<Vec<TicketRow>, sqlx::Error> {
    let buckets: Vec<i16> = ids.iter().map(|id| id.bucket().as_i16()).collect();
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query_as!(
        TicketRow,
        r#"SELECT t.id AS "id: RunId", t.subject, t.body, t.customer_id, t.channel, t.metadata, t.status,
                  t.paused_from, NULL::jsonb AS result, t.category, t.priority, t.confidence, t.language, t.sentiment,
                  t.needs_review, t.action, t.assignee, t.tags, t.attempt_count, t.ai_fallback, t.tokens_input,
                  t.tokens_output, t.cost_nanos, t.edit_distance, t.corrected, t.version, t.error_code, t.forked_from AS "forked_from: RunId",
                  t.created_at, t.started_at, t.completed_at, t.resolved_at, t.updated_at
           FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, id)
           JOIN tickets AS t ON t.bucket = wanted.bucket AND t.id = wanted.id"#,
        &buckets,
        &ids,
    )
    .fetch_all(connection)
    .await
}
