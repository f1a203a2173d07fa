//! Handing in a ticket: durable before it is answered, and once only however often it is posted.

use super::{
    show::{etag, load},
    wait::settled,
};
use crate::{
    extract::{Body, idempotency_key, prefer_wait, traceparent},
    metrics::ticket_posted,
    problem::{Code, Problem},
    routes::{REPLAYED, location},
    state::ApiState,
};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::time::Duration;
use ticketflow_engine::RunId;
use ticketflow_tickets::{
    submit::{self, SubmitOptions, SubmitOutcome, Submitted},
    ticket::{NewTicket, Ticket, TicketStatus},
};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Version of a ticket of which nothing but its first event exists.
const FIRST_VERSION: i64 = 1;

/// The answer to a ticket that was handed in.
#[derive(Debug, Serialize)]
struct Receipt {
    ticket_id: RunId,
    status: TicketStatus,
    /// The ticket as it stands, for a client that waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<Box<Ticket>>,
}

/// How a ticket is submitted for a request with these headers.
pub(super) fn options(state: &ApiState, headers: &HeaderMap, key: Option<String>) -> SubmitOptions {
    SubmitOptions {
        idempotency_key: key,
        window: state.settings.idempotency_key_window,
        content_window: state.settings.content_window,
        actor: state.actor(),
        traceparent: traceparent(headers),
    }
}

/// Whether the ticket existed before; a key that belongs to another ticket is refused.
pub(super) fn replayed(submitted: Submitted) -> Result<bool, Problem> {
    match submitted.outcome {
        SubmitOutcome::Created => {
            ticket_posted("created", 1);
            Ok(false)
        }
        SubmitOutcome::Replayed => {
            ticket_posted("replayed", 1);
            Ok(true)
        }
        SubmitOutcome::KeyReused => {
            let detail = "this Idempotency-Key was used for another ticket; use a fresh key";
            Err(Problem::new(Code::KeyReused, detail))
        }
    }
}

/// `POST /tickets`
pub(crate) async fn submit(
    State(state): State<ApiState>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Body(ticket): Body<NewTicket>,
) -> Result<Response, Problem> {
    state.admission.admit(&state.client).await?;
    let options = options(&state, &headers, idempotency_key(&headers)?);
    let submitted = submit::submit(&state.client, &ticket, options).await?;
    let replayed = replayed(submitted)?;
    let patience = prefer_wait(&headers);
    let (receipt, version) = receipt(&state, submitted.id, replayed, patience).await?;
    let mut extra = location(&uri, submitted.id);
    if replayed {
        extra.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(patience) = patience {
        let applied = format!("wait={}", patience.as_secs());
        extra.insert(PREFERENCE_APPLIED, HeaderValue::try_from(applied).map_err(Problem::internal)?);
    }
    Ok((StatusCode::CREATED, etag(version), extra, Json(receipt)).into_response())
}

/// What to answer, and the ticket's version. A fresh ticket need not be read to know how it stands.
async fn receipt(
    state: &ApiState,
    id: RunId,
    replayed: bool,
    patience: Option<Duration>,
) -> Result<(Receipt, i64), Problem> {
    let ticket = match patience {
        Some(patience) => Some(Box::new(settled(state, id, patience).await?)),
        None if replayed => Some(Box::new(load(state, id).await?)),
        None => None,
    };
    let status = ticket.as_ref().map_or(TicketStatus::Pending, |ticket| ticket.status);
    let version = ticket.as_ref().map_or(FIRST_VERSION, |ticket| ticket.version);
    let ticket = ticket.filter(|_| patience.is_some());
    Ok((Receipt { ticket_id: id, status, ticket }, version))
}
