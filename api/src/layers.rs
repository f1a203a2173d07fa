//! What happens to every request before and after its handler: id, span, log line, measurement, time limit.

use crate::metrics::HTTP_DURATION;
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use metrics::histogram;
use std::time::{Duration, Instant};
use ticketflow_engine::clock::entropy;
use tower_http::request_id::{MakeRequestId, RequestId};
use tracing::{Span, field::Empty};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Most characters of a request id that is taken over from the client.
const MAX_REQUEST_ID: usize = 128;
/// What stands for the route of a request that matched none; a raw path would make labels without bound.
const UNMATCHED: &str = "unmatched";

/// Makes the id of a request that came without one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FreshRequestId;

impl MakeRequestId for FreshRequestId {
    fn make_request_id<B>(&mut self, _request: &axum::http::Request<B>) -> Option<RequestId> {
        let id = uuid::Builder::from_random_bytes(entropy()).into_uuid().to_string();
        HeaderValue::try_from(id).ok().map(RequestId::new)
    }
}

/// Drops a request id that must not stand in logs, so that a fresh one is made.
pub(crate) fn drop_bad_request_id<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let given = request.headers().get(REQUEST_ID);
    let acceptable = |id: &HeaderValue| {
        (1..=MAX_REQUEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if given.is_some_and(|id| !acceptable(id)) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

fn route(request: &Request) -> String {
    request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str).to_owned()
}

/// The span that everything a request does stands in.
pub(crate) fn span(request: &Request) -> Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    tracing::info_span!(
        "request",
        http.method = %request.method(),
        http.route = route(request),
        http.status_code = Empty,
        request.id = id,
    )
}

/// One log line per answer.
pub(crate) fn log_response<B>(response: &axum::http::Response<B>, took: Duration, span: &Span) {
    span.record("http.status_code", response.status().as_u16());
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(duration_ms = milliseconds, "request answered");
}

/// Measures how long the answer took, by the route's template.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let method = method_label(&request);
    let endpoint = route(&request);
    let start = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    histogram!(HTTP_DURATION, "method" => method, "endpoint" => endpoint, "status_code" => status)
        .record(start.elapsed());
    response
}

/// The method, unless the client made one up: labels must stay few.
fn method_label(request: &Request) -> &'static str {
    ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| request.method() == *known)
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(id: &[u8]) -> bool {
        let mut request = axum::http::Request::new(());
        request.headers_mut().insert(REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
        drop_bad_request_id(request).headers().contains_key(REQUEST_ID)
    }

    #[test]
    fn only_a_short_visible_request_id_is_taken_over() {
        assert!(kept(b"abc-123"));
        assert!(kept(&[b'x'; 128]));
        assert!(!kept(&[b'x'; 129]));
        assert!(!kept(b"a b"));
        assert!(!kept(b""));
        assert!(!kept("ü".as_bytes()));
    }
}
