//! Owns [`Ticket`]: a stored ticket, as the API shows it.

use super::{new::Channel, row::TicketRow, status::TicketStatus};
use crate::{
    model::dollars,
    taxonomy::{Category, Priority},
    triage::{Action, AiStatus},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use ticketflow_engine::{RunId, StoreError};

/// A stored ticket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ticket {
    /// Its id and its run's.
    pub id: RunId,
    /// Who wrote.
    pub customer_id: String,
    /// Subject line.
    pub subject: String,
    /// The customer's message.
    pub body: String,
    /// How it came in.
    pub channel: Channel,
    /// Whatever else the sender knew.
    pub metadata: Value,
    /// Where it stands.
    pub status: TicketStatus,
    /// What the steps found; none until there is something.
    pub result: Option<Map<String, Value>>,
    /// What it is about.
    pub category: Option<Category>,
    /// How soon somebody must look at it.
    pub priority: Option<Priority>,
    /// A person should check the category.
    pub needs_review: bool,
    /// What happens to it.
    pub action: Option<Action>,
    /// Agent who works it.
    pub assignee: Option<String>,
    /// Agents' tags.
    pub tags: Vec<String>,
    /// Attempts of steps that ended.
    pub attempt_count: i32,
    /// Grows with every change: the entity tag.
    pub version: i64,
    /// Code of the error that failed it.
    pub error_code: Option<String>,
    /// Ticket it was forked from.
    pub forked_from: Option<RunId>,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// When its first step started.
    pub started_at: Option<DateTime<Utc>>,
    /// When triage reached an outcome.
    pub completed_at: Option<DateTime<Utc>>,
    /// When a person called it resolved.
    pub resolved_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl TryFrom<TicketRow> for Ticket {
    type Error = StoreError;

    fn try_from(row: TicketRow) -> Result<Self, StoreError> {
        let result = result(&row);
        let id = row.id;
        let word = |column: &'static str, word: String| move || corrupt(id, column, &word);
        let status = TicketStatus::parse(&row.status).ok_or_else(word("status", row.status))?;
        let channel = Channel::parse(&row.channel).ok_or_else(word("channel", row.channel))?;
        let priority = optional(id, "priority", row.priority, Priority::parse)?;
        let category = optional(id, "category", row.category, |name| Category::parse(name).ok())?;
        let action = optional(id, "action", row.action, Action::parse)?;
        Ok(Self {
            id,
            customer_id: row.customer_id,
            subject: row.subject,
            body: row.body,
            channel,
            metadata: row.metadata,
            status,
            result,
            category,
            priority,
            needs_review: row.needs_review,
            action,
            assignee: row.assignee,
            tags: row.tags,
            attempt_count: row.attempt_count,
            version: row.version,
            error_code: row.error_code,
            forked_from: row.forked_from,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            resolved_at: row.resolved_at,
            updated_at: row.updated_at,
        })
    }
}

fn optional<T>(
    id: RunId,
    column: &'static str,
    word: Option<String>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    word.map(|word| parse(&word).ok_or_else(|| corrupt(id, column, &word))).transpose()
}

fn corrupt(id: RunId, column: &'static str, word: &str) -> StoreError {
    StoreError::Corrupt {
        table: "tickets",
        column,
        row: id.to_string(),
        problem: format!("{word:?} is not a known value"),
    }
}

/// The stored result, and the totals that columns keep because they grow.
fn result(row: &TicketRow) -> Option<Map<String, Value>> {
    let Some(Value::Object(mut result)) = row.result.clone() else { return None };
    let status = if row.ai_fallback { AiStatus::Fallback } else { AiStatus::Done };
    let tokens = row.tokens_input.zip(row.tokens_output);
    result.insert("ai_status".into(), json!(status));
    result.insert(
        "tokens".into(),
        json!(tokens.map(|(input, output)| json!({ "input": input, "output": output }))),
    );
    result.insert("cost".into(), json!(row.cost_nanos.map(dollars)));
    Some(result)
}
