//! One ticket, with an entity tag that grows with every change.

use crate::{
    extract::{RunPath, matches_none},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header::ETAG},
    response::{IntoResponse, Response},
};
use ticketflow_engine::RunId;
use ticketflow_tickets::ticket::{self, Ticket};

/// The entity tag of a version.
pub(super) fn etag(version: i64) -> [(axum::http::HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::try_from(format!("\"{version}\""));
    [(ETAG, tag.unwrap_or(HeaderValue::from_static("\"0\"")))]
}

/// The ticket of that id.
pub(crate) async fn load(state: &ApiState, id: RunId) -> Result<Ticket, Problem> {
    let mut connection = state.connection().await?;
    let ticket = ticket::get(&mut connection, id).await?;
    ticket.ok_or_else(|| Problem::not_found("ticket", &id))
}

/// `GET /tickets/{id}`
pub(crate) async fn show(
    State(state): State<ApiState>,
    RunPath(id): RunPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let ticket = load(&state, id).await?;
    let etag = etag(ticket.version);
    let known = etag[0].1.to_str().is_ok_and(|tag| matches_none(&headers, tag));
    if known {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    Ok((etag, Json(ticket)).into_response())
}
