//! What an event changes about a ticket's row. Pure: no clock, no database.
//!
//! | event | status | else |
//! |---|---|---|
//! | `created` | pending | the row itself |
//! | `step_completed` | processing | the step's part of the result; one attempt |
//! | `step_retried` | processing | one attempt |
//! | `slept`, `signal_received`, `wait_timed_out`, `migrated` | processing | |
//! | `waited` | awaiting_approval for an approval, else processing | |
//! | `paused` | paused | remembers what it was |
//! | `resumed` | where it was when paused; from a step, or after an outcome: processing | replaced outputs |
//! | `failed` | failed_permanent | one attempt, error code |
//! | `cancelled`, `completed` | the same | |
//! | `noted` | – | an escalation raises the priority |
//! | `annotated` | – | agents' edits |
//! | `lease_expired`, `retried_now` | – | – |

use super::outputs::output_patch;
use crate::{
    clean,
    taxonomy::Priority,
    ticket::{TicketEdit, TicketStatus, topics},
    triage::{APPROVAL_ESCALATED, APPROVAL_SIGNAL},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use ticketflow_engine::event::{Event, EventRecord, Note, Resumed};

/// Where an event takes the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusTo {
    /// There.
    Set(TicketStatus),
    /// Paused, remembering what it was.
    Paused,
    /// Back to what it was before it was paused, or else processing.
    Restored,
}

impl Serialize for StatusTo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Set(status) => status.as_str(),
            Self::Paused => TicketStatus::Paused.as_str(),
            Self::Restored => "restored",
        })
    }
}

/// What one event, or several in a row, change. The field names are those that the update statement reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct TicketPatch {
    /// Version and time of the last event that changed something; none: nothing changes.
    pub(super) version: Option<i64>,
    pub(super) updated_at: Option<DateTime<Utc>>,
    /// The status, and with it always the two fields below.
    pub(super) status: Option<StatusTo>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) error_code: Option<String>,
    /// Counts only if the row has none.
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) resolution: Option<bool>,
    pub(super) resolved_at: Option<DateTime<Utc>>,
    /// Not stored: see [`TicketRow::result`](crate::ticket::TicketRow::result).
    #[serde(skip)]
    pub(super) result: Option<Map<String, Value>>,
    pub(super) category: Option<String>,
    pub(super) priority: Option<Priority>,
    pub(super) confidence: Option<f64>,
    pub(super) language: Option<String>,
    pub(super) sentiment: Option<i16>,
    pub(super) needs_review: Option<bool>,
    pub(super) action: Option<String>,
    pub(super) reassigned: bool,
    pub(super) assignee: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) metadata: Option<Value>,
    /// Added to what the row has.
    pub(super) attempts: i32,
    pub(super) ai_fallback: bool,
    pub(super) tokens_input: Option<i64>,
    pub(super) tokens_output: Option<i64>,
    pub(super) cost_nanos: Option<i64>,
    pub(super) edit_distance: Option<f64>,
    /// Put over what the row has, field by field.
    pub(super) corrected: Option<Map<String, Value>>,
}

/// What `record` changes.
pub(super) fn patch_of(record: &EventRecord) -> TicketPatch {
    let mut patch = effect(record);
    if patch != TicketPatch::default() {
        patch.version = Some(i64::from(record.seq.0) + 1);
        patch.updated_at = Some(record.at);
        patch.started_at = record.duration_ms.map(|took| record.at - TimeDelta::milliseconds(took.into()));
    }
    patch
}

fn effect(record: &EventRecord) -> TicketPatch {
    let processing = || to(StatusTo::Set(TicketStatus::Processing));
    match &record.event {
        Event::StepCompleted(completed) => {
            let output = record.step.as_ref().map(|step| output_patch(step.as_str(), &completed.output));
            TicketPatch { attempts: 1, ..processing() }.then(output.unwrap_or_default())
        }
        Event::StepRetried(_) => TicketPatch { attempts: 1, ..processing() },
        Event::Waited(waited) if waited.signal == APPROVAL_SIGNAL => {
            to(StatusTo::Set(TicketStatus::AwaitingApproval))
        }
        Event::Slept(_)
        | Event::Waited(_)
        | Event::SignalReceived(_)
        | Event::WaitTimedOut(_)
        | Event::Migrated(_) => processing(),
        Event::Noted(note) => escalation(note),
        Event::Annotated(note) => annotation(note, record.at),
        Event::Paused(_) => to(StatusTo::Paused),
        Event::Resumed(resumed) => resumption(resumed),
        Event::Cancelled(_) => finished(TicketStatus::Cancelled, record.at),
        Event::Completed(_) => finished(TicketStatus::Completed, record.at),
        Event::Failed(failure) => TicketPatch {
            attempts: 1,
            error_code: Some(clean::text(&failure.code).into_owned()),
            ..finished(TicketStatus::FailedPermanent, record.at)
        },
        Event::Created(_) | Event::LeaseExpired(_) | Event::RetriedNow(_) => TicketPatch::default(),
    }
}

fn to(status: StatusTo) -> TicketPatch {
    TicketPatch { status: Some(status), ..TicketPatch::default() }
}

fn finished(status: TicketStatus, at: DateTime<Utc>) -> TicketPatch {
    TicketPatch { completed_at: Some(at), ..to(StatusTo::Set(status)) }
}

fn resumption(resumed: &Resumed) -> TicketPatch {
    let status = match resumed.from_step {
        Some(_) => StatusTo::Set(TicketStatus::Processing),
        None => StatusTo::Restored,
    };
    let edited = resumed.edited.iter().map(|(step, output)| output_patch(step.as_str(), output));
    edited.fold(to(status), TicketPatch::then)
}

fn escalation(note: &Note) -> TicketPatch {
    let raised = (note.topic == APPROVAL_ESCALATED).then(|| note.data.get("priority")).flatten();
    let priority = raised.and_then(Value::as_str).and_then(Priority::parse);
    TicketPatch {
        priority,
        result: priority.map(|raised| entry("priority", raised.as_str())),
        ..TicketPatch::default()
    }
}

fn annotation(note: &Note, at: DateTime<Utc>) -> TicketPatch {
    match note.topic.as_str() {
        topics::EDITED | topics::ASSIGNED | topics::TAGGED => {
            let edited = serde_json::from_value(note.data.clone()).map(edit).unwrap_or_default();
            edited.then(beside(&note.data))
        }
        topics::RESOLVED => {
            TicketPatch { resolution: Some(true), resolved_at: Some(at), ..TicketPatch::default() }
        }
        topics::REOPENED => TicketPatch { resolution: Some(false), ..TicketPatch::default() },
        _other_topic => TicketPatch::default(),
    }
}

/// What stands beside an edit: what it corrects, and how far its reply is from the draft.
fn beside(data: &Value) -> TicketPatch {
    let corrected = data.pointer("/about/corrected").and_then(Value::as_object);
    let corrected =
        corrected.map(|all| all.iter().map(|(field, to)| (field.clone(), clean::json(to.clone()))));
    let rewrite = data.pointer("/about/rewrite").filter(|rewrite| rewrite.is_object());
    let shown = rewrite.map(|rewrite| Map::from_iter([("rewrite".to_owned(), clean::json(rewrite.clone()))]));
    TicketPatch {
        corrected: corrected.map(Iterator::collect),
        edit_distance: rewrite.and_then(|rewrite| rewrite["distance"].as_f64()),
        result: shown,
        ..TicketPatch::default()
    }
}

fn edit(edit: TicketEdit) -> TicketPatch {
    let mut result = Map::new();
    let mut set = |key: &str, text: &str| result.insert(key.to_owned(), clean::text(text).into());
    if let Some(category) = &edit.category {
        set("category", category.as_str());
        set("classification", category.as_str());
    }
    if let Some(priority) = edit.priority {
        set("priority", priority.as_str());
    }
    if let Some(draft) = &edit.draft {
        set("draft", draft);
    }
    if let Some(response) = &edit.final_response {
        set("final_response", response);
    }
    if let Some(entities) = edit.entities {
        result.insert("entities".to_owned(), clean::json(Value::Object(entities)));
    }
    TicketPatch {
        result: (!result.is_empty()).then_some(result),
        // Somebody has looked at the category.
        needs_review: edit.category.is_some().then_some(false),
        category: edit.category.map(String::from),
        priority: edit.priority,
        reassigned: edit.assignee.is_some(),
        assignee: edit.assignee.flatten().map(clean::owned),
        tags: edit.tags.map(|tags| tags.into_iter().map(clean::owned).collect()),
        metadata: edit.metadata.map(|metadata| Value::Object(metadata.into())),
        ..TicketPatch::default()
    }
}

fn entry(key: &str, value: &str) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value.into())])
}

impl TicketPatch {
    /// Whether the next event's patch can be written together with this one: going to and from a pause depends on
    /// the status that the row has by then.
    pub(super) const fn takes(&self, next: &Self) -> bool {
        self.status.is_none() || !matches!(next.status, Some(StatusTo::Paused | StatusTo::Restored))
    }

    /// This patch, then `next`.
    pub(super) fn then(self, next: Self) -> Self {
        let status_from = if next.status.is_some() { &next } else { &self };
        let (status, completed_at) = (status_from.status, status_from.completed_at);
        let error_code = status_from.error_code.clone();
        let resolution_from = if next.resolution.is_some() { &next } else { &self };
        let (resolution, resolved_at) = (resolution_from.resolution, resolution_from.resolved_at);
        Self {
            version: next.version.or(self.version),
            updated_at: next.updated_at.or(self.updated_at),
            status,
            completed_at,
            error_code,
            started_at: self.started_at.or(next.started_at),
            resolution,
            resolved_at,
            result: merged(self.result, next.result),
            category: next.category.or(self.category),
            priority: next.priority.or(self.priority),
            confidence: next.confidence.or(self.confidence),
            language: next.language.or(self.language),
            sentiment: next.sentiment.or(self.sentiment),
            needs_review: next.needs_review.or(self.needs_review),
            action: next.action.or(self.action),
            assignee: if next.reassigned { next.assignee } else { self.assignee },
            reassigned: self.reassigned || next.reassigned,
            tags: next.tags.or(self.tags),
            metadata: next.metadata.or(self.metadata),
            attempts: self.attempts + next.attempts,
            ai_fallback: self.ai_fallback || next.ai_fallback,
            tokens_input: sum(self.tokens_input, next.tokens_input),
            tokens_output: sum(self.tokens_output, next.tokens_output),
            cost_nanos: sum(self.cost_nanos, next.cost_nanos),
            edit_distance: next.edit_distance.or(self.edit_distance),
            corrected: merged(self.corrected, next.corrected),
        }
    }
}

fn merged(
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
) -> Option<Map<String, Value>> {
    match (before, after) {
        (Some(mut before), Some(after)) => {
            before.extend(after);
            Some(before)
        }
        (before, after) => after.or(before),
    }
}

/// The sum of what is known; none if neither is.
pub(super) fn sum(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}
