//! Owns what goes over the wire in each mode.

use crate::{
    mode::Mode,
    server::{Shared, Turn},
    wire,
};
use axum::{
    Json,
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use futures::{Stream, StreamExt as _, stream};
use serde_json::Value;
use std::{io, time::Duration};
use tokio_util::sync::CancellationToken;

/// Where [`Mode::Redirect`] sends its clients, who should not go there.
pub(crate) const ELSEWHERE: &str = "/fake/elsewhere";
/// Length of [`Mode::Huge`], in pieces of a mebibyte.
const HUGE_PIECES: usize = 200;
/// A piece of it.
static PIECE: [u8; 1 << 20] = [b' '; 1 << 20];
const PAGE: &str = "<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>";

/// Sends `answer`, or whatever the mode makes of it.
pub(crate) async fn send(state: &Shared, turn: Turn<'_>, answer: &Value) -> Response {
    if state.stop.run_until_cancelled(tokio::time::sleep(turn.latency)).await.is_none() {
        return stopping();
    }
    match turn.mode {
        Mode::RateLimit => wire::rate_limited(Some(turn.retry_after)),
        Mode::RateLimitBare => wire::rate_limited(None),
        Mode::Quota => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            let kind = "insufficient_quota";
            wire::refused(StatusCode::TOO_MANY_REQUESTS, kind, Some(kind), message)
        }
        Mode::Unauthorized => {
            let code = Some("invalid_api_key");
            let message = "Incorrect API key provided.";
            wire::refused(StatusCode::UNAUTHORIZED, "invalid_request_error", code, message)
        }
        Mode::NoModel => wire::no_model("of this name"),
        Mode::BadRequest => wire::bad_request("The request could not be processed."),
        Mode::Error => failed(StatusCode::INTERNAL_SERVER_ERROR),
        Mode::Unavailable => failed(StatusCode::SERVICE_UNAVAILABLE),
        Mode::Hang => {
            state.stop.cancelled().await;
            stopping()
        }
        Mode::Cut => cut(&answer.to_string()),
        Mode::Huge => huge(&state.stop),
        Mode::Redirect => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, ELSEWHERE)]).into_response(),
        Mode::WrongType => Html(PAGE).into_response(),
        Mode::Drip => {
            turn.answered();
            drip(answer.to_string(), turn.drip, state.stop.clone())
        }
        Mode::Fine
        | Mode::NoJsonSchema
        | Mode::NoJsonObject
        | Mode::InvalidJson
        | Mode::WrongShape
        | Mode::NoUsage
        | Mode::Refusal
        | Mode::Length
        | Mode::Obey => {
            turn.answered();
            Json(answer).into_response()
        }
    }
}

fn failed(status: StatusCode) -> Response {
    wire::refused(status, "server_error", None, "The server had an error while processing your request.")
}

fn stopping() -> Response {
    failed(StatusCode::SERVICE_UNAVAILABLE)
}

/// Half of what the length promises.
fn cut(answer: &str) -> Response {
    let half = Bytes::copy_from_slice(&answer.as_bytes()[..answer.len() / 2]);
    let broken = io::Error::new(io::ErrorKind::ConnectionReset, "cut on purpose");
    // What was written goes out while the next piece is waited for, and only then is the connection given up.
    let end = stream::once(async {
        tokio::task::yield_now().await;
        Err(broken)
    });
    with_length(answer.len(), stream::iter([Ok(half)]).chain(end))
}

/// An answer that begins well and goes on with white space, which no parser minds.
fn huge(stop: &CancellationToken) -> Response {
    let pieces = stream::iter((0..HUGE_PIECES).map(|_| Ok(Bytes::from_static(&PIECE))));
    with_length(HUGE_PIECES * PIECE.len(), pieces.take_until(stop.clone().cancelled_owned()))
}

fn drip(answer: String, pause: Duration, stop: CancellationToken) -> Response {
    let bytes = stream::iter(answer.into_bytes()).then(move |byte| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, io::Error>(Bytes::from(vec![byte]))
    });
    let body = Body::from_stream(bytes.take_until(stop.cancelled_owned()));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn with_length(length: usize, pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_LENGTH, length.to_string())];
    (headers, Body::from_stream(pieces)).into_response()
}
