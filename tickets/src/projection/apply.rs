//! The row that a log makes. States in Rust what [`super::write`] states in SQL; the audit compares the two.

use super::patch::{StatusTo, TicketPatch, sum};
use crate::ticket::{NewTicket, TicketRow, TicketStatus};
use serde_json::{Map, Value};
use ticketflow_engine::{
    RunId,
    event::{Created, EventRecord},
};

/// The row of a ticket that was just submitted, or forked from another.
///
/// # Errors
/// If the run's input is no ticket.
pub(super) fn first_row(
    run: RunId,
    record: &EventRecord,
    created: &Created,
) -> Result<TicketRow, serde_json::Error> {
    let ticket: NewTicket = serde_json::from_str(created.input.get())?;
    let mut row = TicketRow {
        id: run,
        subject: ticket.subject.into(),
        body: ticket.body.into(),
        customer_id: ticket.customer_id.into(),
        channel: ticket.channel.to_string(),
        metadata: Value::Object(ticket.metadata.into()),
        status: TicketStatus::Pending.to_string(),
        paused_from: None,
        result: None,
        category: None,
        priority: None,
        confidence: None,
        language: None,
        sentiment: None,
        needs_review: false,
        action: None,
        assignee: None,
        tags: Vec::new(),
        attempt_count: 0,
        ai_fallback: false,
        tokens_input: None,
        tokens_output: None,
        cost_nanos: None,
        edit_distance: None,
        corrected: None,
        version: i64::from(record.seq.0) + 1,
        error_code: None,
        forked_from: created.fork.as_ref().map(|fork| fork.parent),
        created_at: record.at,
        started_at: None,
        completed_at: None,
        resolved_at: None,
        updated_at: record.at,
    };
    let carried = created.fork.iter().flat_map(|fork| &fork.outputs);
    carried.for_each(|(step, output)| apply(&mut row, super::outputs::output_patch(step.as_str(), output)));
    Ok(row)
}

/// Changes a row as the update statement does.
pub(super) fn apply(row: &mut TicketRow, patch: TicketPatch) {
    if let Some(status) = patch.status {
        move_to(row, status);
        row.completed_at = patch.completed_at;
        row.error_code = patch.error_code;
    }
    if patch.resolution.is_some() {
        row.resolved_at = patch.resolved_at;
    }
    if let Some(found) = patch.result {
        merge(&mut row.result, found);
    }
    if patch.reassigned {
        row.assignee = patch.assignee;
    }
    set(&mut row.version, patch.version);
    set(&mut row.updated_at, patch.updated_at);
    set(&mut row.needs_review, patch.needs_review);
    set(&mut row.tags, patch.tags);
    set(&mut row.metadata, patch.metadata);
    row.started_at = row.started_at.or(patch.started_at);
    row.category = patch.category.or(row.category.take());
    row.priority = patch.priority.map(|priority| priority.to_string()).or(row.priority.take());
    row.confidence = patch.confidence.or(row.confidence);
    row.language = patch.language.or(row.language.take());
    row.sentiment = patch.sentiment.or(row.sentiment);
    row.action = patch.action.or(row.action.take());
    row.attempt_count += patch.attempts;
    row.ai_fallback |= patch.ai_fallback;
    row.tokens_input = sum(row.tokens_input, patch.tokens_input);
    row.tokens_output = sum(row.tokens_output, patch.tokens_output);
    row.cost_nanos = sum(row.cost_nanos, patch.cost_nanos);
    row.edit_distance = patch.edit_distance.or(row.edit_distance);
    if let Some(corrected) = patch.corrected {
        merge(&mut row.corrected, corrected);
    }
}

fn move_to(row: &mut TicketRow, status: StatusTo) {
    let before = row.paused_from.take();
    let status = match status {
        StatusTo::Set(status) => status.to_string(),
        StatusTo::Paused => {
            row.paused_from = Some(row.status.clone());
            TicketStatus::Paused.to_string()
        }
        StatusTo::Restored => before.unwrap_or_else(|| TicketStatus::Processing.to_string()),
    };
    row.status = status;
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn merge(result: &mut Option<Value>, found: Map<String, Value>) {
    match result {
        Some(Value::Object(result)) => result.extend(found),
        Some(_) | None => *result = Some(Value::Object(found)),
    }
}
