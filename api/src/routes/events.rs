//! A ticket's log, for auditors: as stored, byte for byte, and whether its chain holds.

use crate::{
    event_type::EventType,
    extract::{Params, RunPath},
    problem::Problem,
    routes::next_link,
    state::ApiState,
};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::HeaderMap,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use ticketflow_engine::{
    RunId, StoreError,
    audit::verify_chain,
    error::ChainError,
    event::EventKind,
    store::{
        control,
        event::{self, EventRow},
    },
};

/// Most events in one answer, and how many there are unless the client asks for fewer.
const PAGE: u16 = 1_000;

/// An event on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct EventView {
    id: String,
    seq: i32,
    /// Epoch it was written under: part of what the hash covers.
    epoch: i64,
    /// The engine's own word for what happened: part of what the hash covers.
    kind: &'static str,
    event_type: EventType,
    step_name: Option<String>,
    attempt: i32,
    actor: String,
    payload: Box<RawValue>,
    duration_ms: Option<i32>,
    created_at: DateTime<Utc>,
    hash: String,
}

impl EventView {
    fn of(run: RunId, row: EventRow) -> Result<Self, StoreError> {
        let seq = row.seq;
        let corrupt = |column, problem: String| StoreError::Corrupt {
            table: "run_events",
            column,
            row: format!("{run} seq {seq}"),
            problem,
        };
        let kind = EventKind::parse(&row.kind)
            .ok_or_else(|| corrupt("kind", format!("{} is not a kind of event", row.kind)))?;
        let event_type = EventType::of(kind, &row.payload);
        let payload = RawValue::from_string(row.payload);
        Ok(Self {
            id: format!("{run}:{seq}"),
            seq,
            epoch: row.epoch,
            kind: kind.as_str(),
            event_type,
            step_name: row.step,
            attempt: row.attempt,
            actor: row.actor,
            payload: payload.map_err(|error| corrupt("payload", error.to_string()))?,
            duration_ms: row.duration_ms,
            created_at: row.at,
            hash: hex::encode(row.hash),
        })
    }
}

/// `GET /tickets/{id}/events`
pub(crate) async fn list(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<(HeaderMap, Json<Vec<EventView>>), Problem> {
    let after = params.number("after", -1, i32::MAX)?.unwrap_or(-1);
    let limit = params.number("limit", 1, PAGE)?.unwrap_or(PAGE);
    params.finish()?;
    let mut connection = state.connection().await?;
    // One more than asked for tells whether there is a next page.
    let mut rows = event::rows(&mut connection, run, after, i64::from(limit) + 1).await?;
    if rows.is_empty() {
        require(&mut connection, run).await?;
    }
    let more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    let last = rows.last().map_or(after, |row| row.seq);
    let events: Result<Vec<_>, _> = rows.into_iter().map(|row| EventView::of(run, row)).collect();
    let link = more.then(|| next_link(uri.path(), &format!("after={last}&limit={limit}")));
    Ok((link.unwrap_or_default(), Json(events?)))
}

async fn require(connection: &mut PgConnection, run: RunId) -> Result<(), Problem> {
    let header = control::header(connection, run, false).await?;
    header.map(drop).ok_or_else(|| Problem::not_found("ticket", &run))
}

/// Whether a log is what its hashes say.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Verification {
    /// Every event is as it was written.
    Intact { intact: bool, events: usize, head: String },
    /// Some event is not.
    Broken { intact: bool, first_broken_seq: Option<i32>, problem: String },
}

impl Verification {
    fn of(run: RunId, rows: &[EventRow]) -> Self {
        match verify_chain(run, rows) {
            Ok(head) => Self::Intact { intact: true, events: rows.len(), head: head.to_string() },
            Err(error) => Self::Broken {
                intact: false,
                first_broken_seq: first_broken(&error),
                problem: error.to_string(),
            },
        }
    }
}

const fn first_broken(error: &ChainError) -> Option<i32> {
    match error {
        ChainError::Gap { expected, .. } => Some(expected.0),
        ChainError::Broken { seq } => Some(seq.0),
        ChainError::Length { .. } => None,
    }
}

/// `GET /tickets/{id}/events/verify`
pub(crate) async fn verify(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
) -> Result<Json<Verification>, Problem> {
    let mut connection = state.connection().await?;
    let rows = event::rows(&mut connection, run, -1, i64::MAX).await?;
    if rows.is_empty() {
        require(&mut connection, run).await?;
    }
    Ok(Json(Verification::of(run, &rows)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(payload: &str) -> EventRow {
        EventRow {
            seq: 0,
            epoch: 0,
            kind: "created".into(),
            step: Some("classify".into()),
            attempt: 0,
            actor: "api".into(),
            payload: payload.into(),
            duration_ms: None,
            at: DateTime::UNIX_EPOCH,
            hash: vec![7; 32],
            erased_digest: None,
        }
    }

    #[test]
    fn a_payload_passes_byte_for_byte() {
        let payload = r#"{ "b":1.50,  "a":1e2 }"#;
        let view = EventView::of(RunId::from_uuid(uuid::Uuid::nil()), row(payload)).unwrap();
        assert!(serde_json::to_string(&view).unwrap().contains(payload));
    }

    #[test]
    fn the_first_broken_event_is_named() {
        let broken = Verification::of(RunId::from_uuid(uuid::Uuid::nil()), &[row("{}")]);
        let json = serde_json::to_value(&broken).unwrap();
        assert_eq!((&json["intact"], &json["first_broken_seq"]), (&false.into(), &0.into()));
    }
}
