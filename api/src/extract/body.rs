//! Reads a body: its media type, its bytes within size and time, its JSON, and what the JSON must say.

use super::{
    fields::{Fields, Refused},
    json::parse_json,
};
use crate::{
    problem::{Code, Fault, Problem},
    state::ApiState,
};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use serde_json::Value;
use ticketflow_tickets::ticket::NewTicket;

/// What a body can be parsed into. An implementation names everything that is wrong, not only the first fault.
pub(crate) trait BodyDocument: Sized {
    /// Parses the body's JSON.
    fn parse(value: &Value) -> Result<Self, Vec<Fault>>;
}

/// Reads the fields of an object; for the documents that are one.
pub(crate) fn object<T>(
    value: &Value,
    read: impl FnOnce(&mut Fields<'_>) -> Result<T, Refused>,
) -> Result<T, Vec<Fault>> {
    let mut fields = Fields::of(value)?;
    let document = read(&mut fields);
    let faults = fields.finish();
    match document {
        Ok(document) if faults.is_empty() => Ok(document),
        Ok(_) | Err(Refused) => Err(faults),
    }
}

impl BodyDocument for NewTicket {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        Self::from_json(value).map_err(|faults| faults.into_iter().map(Fault::from).collect())
    }
}

/// A JSON body, parsed.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: BodyDocument> FromRequest<ApiState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let raw = RawBody::from_request(request, state).await?;
        if raw.media != Media::Json {
            return Err(unsupported("application/json"));
        }
        T::parse(&parse_json(&raw.bytes)?).map(Self).map_err(Problem::invalid_body)
    }
}

/// The media types that some route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Ndjson,
}

/// A body whose bytes have arrived.
#[derive(Debug)]
pub(crate) struct RawBody {
    /// What it says it is.
    pub(crate) media: Media,
    /// What it is.
    pub(crate) bytes: Bytes,
}

impl FromRequest<ApiState> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let media = media(request.headers()).ok_or_else(|| unsupported("application/json"))?;
        let read = Bytes::from_request(request, state);
        let bytes = tokio::time::timeout(state.settings.body_timeout, read).await;
        let bytes = bytes.map_err(|_| Problem::new(Code::Timeout, "the body did not arrive in time"))?;
        let bytes = bytes.map_err(|rejection| match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::bare(Code::TooLarge),
            _ => Problem::new(Code::BadRequest, "the body could not be read to its end"),
        })?;
        Ok(Self { media, bytes })
    }
}

fn unsupported(wanted: &str) -> Problem {
    Problem::new(Code::UnsupportedMediaType, format!("send the body with Content-Type: {wanted}"))
}

fn media(headers: &HeaderMap) -> Option<Media> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = kind.split(';').next()?.trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Some(Media::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Media::Ndjson),
        other => (other.starts_with("application/") && other.ends_with("+json")).then_some(Media::Json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_of(kind: &str) -> Option<Media> {
        media(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]))
    }

    #[test]
    fn media_types_are_read_without_their_parameters() {
        assert_eq!(media_of("Application/JSON; charset=utf-8"), Some(Media::Json));
        assert_eq!(media_of("application/merge-patch+json"), Some(Media::Json));
        assert_eq!(media_of("application/x-ndjson"), Some(Media::Ndjson));
        assert_eq!(media_of("text/plain"), None);
        assert_eq!(media(&HeaderMap::new()), None);
    }
}
