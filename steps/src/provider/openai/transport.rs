//! One request over HTTP. Follows no redirect, reads no more than an answer may have, and looks at the status before the
//! library does, which logs the bodies of errors and of whatever is no JSON: they may hold a customer's words.

use crate::{provider::model::CallError, retry_after::retry_after};
use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use futures::TryStreamExt;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

/// Most bytes of an answer that are read.
const MOST_BYTES: usize = 1024 * 1024;

/// Words by which errors speak of the form of the answer.
const FORM_WORDS: [&str; 5] =
    ["response_format", "json_schema", "json_object", "structured output", "guided decoding"];

impl From<CallError> for OpenAIError {
    fn from(error: CallError) -> Self {
        Self::Boxed(Box::new(error))
    }
}

/// Sends a request. What comes back is an answer of JSON, held in memory.
pub(super) async fn send(
    client: reqwest::Client,
    factory: HttpRequestFactory,
) -> Result<Response, CallError> {
    let request = factory.build().await.map_err(|_| CallError::Unreachable)?;
    let response = client.execute(request).await.map_err(|error| unreachable(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    if status.is_redirection() {
        return Err(CallError::Redirected);
    }
    let body = read(response).await;
    if !status.is_success() {
        return Err(refused(status, &headers, &body.unwrap_or_default()));
    }
    let body = body?;
    if !is_json(&headers) || !is_readable(&body) {
        return Err(CallError::BadResponse);
    }
    Ok(http::Response::new(body).into())
}

fn unreachable(error: &reqwest::Error) -> CallError {
    if error.is_timeout() { CallError::TimedOut } else { CallError::Unreachable }
}

/// The whole body, unless it is longer than is read.
async fn read(response: Response) -> Result<Vec<u8>, CallError> {
    let mut stream = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(part) = stream.try_next().await.map_err(|error| unreachable(&error))? {
        if body.len() + part.len() > MOST_BYTES {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Read as the library reads it, for what it cannot read it logs.
fn is_readable(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok()
}

/// Servers that say nothing are taken at their word once the body is read.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| value.to_str().is_ok_and(|text| text.contains("json")))
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    code: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> CallError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CallError::Unauthorized,
        StatusCode::PAYMENT_REQUIRED => CallError::QuotaExhausted,
        StatusCode::NOT_FOUND => CallError::NotFound,
        StatusCode::REQUEST_TIMEOUT => CallError::TimedOut,
        StatusCode::TOO_MANY_REQUESTS if is_quota(body) => CallError::QuotaExhausted,
        StatusCode::TOO_MANY_REQUESTS => CallError::RateLimited { retry_after: retry_after(headers) },
        status if status.is_server_error() => CallError::ServerError(status.as_u16()),
        status if names_form(body) => CallError::FormRefused(status.as_u16()),
        status => CallError::RequestRefused(status.as_u16()),
    }
}

/// Whether an error is about the form of the answer. Servers word it as they like, but name what they do not take.
fn names_form(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body).to_lowercase();
    FORM_WORDS.iter().any(|word| body.contains(word))
}

/// Whether waiting would not help.
fn is_quota(body: &[u8]) -> bool {
    let read: Result<ErrorBody, _> = serde_json::from_slice(body);
    let quota = |word: Option<String>| word.as_deref() == Some("insufficient_quota");
    read.is_ok_and(|ErrorBody { error }| quota(error.code) || quota(error.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderName, RETRY_AFTER};
    use std::time::Duration;

    fn refusal(status: u16, headers: &[(HeaderName, &str)], body: &str) -> CallError {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        refused(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn the_pause_that_is_asked_for_is_kept() {
        let limited = CallError::RateLimited { retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(refusal(429, &[(RETRY_AFTER, "7")], ""), limited);
    }

    #[test]
    fn what_the_library_could_not_read_and_would_log_is_refused_before() {
        assert!(is_readable(br#"{"choices":[{"message":{"content":"\ud83d\ude00"}}]}"#));
        let nested = "[".repeat(200) + &"]".repeat(200);
        for body in
            [&br#"{"content":"a lone \ud83d"}"#[..], b"{\"content\":\"\xff\"}", b"[1e999]", nested.as_bytes()]
        {
            assert!(!is_readable(body), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_quota_that_is_used_up_is_told_from_too_many_requests() {
        let body = r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        assert_eq!(refusal(429, &[], body), CallError::QuotaExhausted);
        assert_eq!(refusal(402, &[], ""), CallError::QuotaExhausted);
    }

    #[test]
    fn statuses_become_what_can_be_done_about_them() {
        assert_eq!(refusal(401, &[], ""), CallError::Unauthorized);
        assert_eq!(refusal(404, &[], ""), CallError::NotFound);
        assert_eq!(refusal(400, &[], ""), CallError::RequestRefused(400));
        assert_eq!(refusal(503, &[], ""), CallError::ServerError(503));
        for body in [
            r#"{"error":{"message":"Invalid parameter: 'response_format' of type 'json_schema' is not supported."}}"#,
            r#"{"detail":"Structured outputs are not enabled on this server"}"#,
        ] {
            assert_eq!(refusal(400, &[], body), CallError::FormRefused(400), "{body}");
        }
        let other = r#"{"error":{"message":"Invalid character in the request","param":null}}"#;
        assert_eq!(refusal(400, &[], other), CallError::RequestRefused(400));
    }
}
