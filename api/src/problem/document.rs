//! The problem document on the wire, and the middleware that writes it for every error.

use super::{Code, Problem};
use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderValue,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    },
    middleware::Next,
    response::Response,
};
use serde::Serialize;
use std::error::Error;
use tower_http::request_id::RequestId;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer (RFC 6901) into the body; or `/query/` and the parameter's name, `/header/` and the header's.
    pub pointer: String,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

/// What is sent.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    errors: Vec<Fault>,
    request_id: Option<String>,
    retryable: bool,
}

impl Document {
    /// Writes `problem` down for the request called `request_id`.
    pub(crate) fn new(problem: Problem, request_id: Option<String>) -> Self {
        let code = problem.code;
        Self {
            r#type: format!("urn:ticketflow:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: problem.detail,
            code: code.as_str(),
            errors: problem.faults,
            request_id,
            retryable: code.retryable(),
        }
    }
}

/// Gives every error response a problem document, and logs the cause of those that have one.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    let id = id.map(str::to_owned);
    let mut response = next.run(request).await;
    let Some(problem) = problem_of(&mut response) else {
        return response;
    };
    problem.log();
    let document = Document::new(problem, id);
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    headers.remove(CONTENT_LENGTH);
    headers.remove(CONTENT_ENCODING);
    *response.body_mut() = Body::from(body);
    response
}

/// The problem that a response carries or, if a layer made it, amounts to. JSON is left alone: the health checks
/// answer 503 with a document of their own.
fn problem_of(response: &mut Response) -> Option<Problem> {
    let status = response.status();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
    let is_error = status.is_client_error() || status.is_server_error();
    (is_error && !is_json).then(|| Problem::bare(Code::of_status(status)))
}

impl Problem {
    /// Logs what led to it, if something of ours did. To be called where the problem is written down, and only there.
    pub(crate) fn log(&self) {
        let Some(cause) = &self.cause else { return };
        let cause: &(dyn Error + 'static) = &**cause;
        let code = self.code.as_str();
        if self.code.retryable() {
            tracing::warn!(problem.code = code, error = cause, "a request was not carried out for now");
        } else {
            tracing::error!(problem.code = code, error = cause, "a request failed");
        }
    }
}
