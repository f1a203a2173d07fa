//! Owns the protocol's shapes, as far as the server reads and writes them.

use axum::{
    Json,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A request for a completion.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    pub(crate) messages: Vec<ChatMessage>,
    #[serde(default)]
    pub(crate) response_format: ResponseFormat,
    #[serde(default)]
    pub(crate) stream: bool,
    #[serde(default, alias = "max_tokens")]
    pub(crate) max_completion_tokens: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChatMessage {
    pub(crate) role: String,
    #[serde(default)]
    content: Option<Content>,
}

/// Plain text, or parts of which only those of text count.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

/// What the content has to be.
#[derive(Debug, Deserialize, Default)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ResponseFormat {
    #[default]
    Text,
    JsonObject,
    JsonSchema {
        json_schema: NamedSchema,
    },
}

#[derive(Debug, Deserialize)]
pub(crate) struct NamedSchema {
    #[serde(default)]
    pub(crate) schema: Value,
    #[serde(default)]
    pub(crate) strict: bool,
}

impl ChatMessage {
    pub(crate) fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => {
                parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// A request for embeddings.
#[derive(Debug, Deserialize)]
pub(crate) struct EmbeddingRequest {
    pub(crate) model: String,
    pub(crate) input: Inputs,
    #[serde(default)]
    pub(crate) dimensions: Option<usize>,
    #[serde(default)]
    pub(crate) encoding_format: Encoding,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Inputs {
    One(String),
    Many(Vec<String>),
}

impl Inputs {
    pub(crate) fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Debug, Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    #[default]
    Float,
    Base64,
}

/// An error as the protocol writes it.
pub(crate) fn refused(status: StatusCode, kind: &str, code: Option<&str>, message: &str) -> Response {
    let error = json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
    (status, Json(error)).into_response()
}

/// 400.
pub(crate) fn bad_request(message: &str) -> Response {
    refused(StatusCode::BAD_REQUEST, "invalid_request_error", None, message)
}

/// 404.
pub(crate) fn no_model(model: &str) -> Response {
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    refused(StatusCode::NOT_FOUND, "invalid_request_error", Some("model_not_found"), &message)
}

/// 429, with the seconds to wait if they are told.
pub(crate) fn rate_limited(retry_after: Option<u64>) -> Response {
    let message = "Rate limit reached for requests per minute.";
    let mut response =
        refused(StatusCode::TOO_MANY_REQUESTS, "requests", Some("rate_limit_exceeded"), message);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
    }
    response
}

/// Tokens of a text: about four characters each, as the models' vocabularies have it for English.
pub(crate) fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(4)
}
