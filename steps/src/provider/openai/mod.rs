//! The Chat Completions protocol, by async-openai: the only place that names it.
//!
//! Requests go out by [`transport`], which reads no more than it has to and hands the library nothing that it would log.

mod request;
mod response;
mod transport;

use super::model::{CallError, ChatAnswer, ChatRequest};
use async_openai::{Client, config::Config, error::OpenAIError, middleware::HttpRequestFactory};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use response::Completion;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use tower::service_fn;

/// Longest time to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Who asks.
const USER_AGENT: &str = concat!("ticketflow/", env!("CARGO_PKG_VERSION"));

/// A server that speaks the protocol.
#[derive(Clone)]
pub(crate) struct OpenAi {
    client: Client<Endpoint>,
    address: Address,
}

/// Where it is, as far as the request depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    /// At `OpenAI`, whose newer models know the limit of an answer by another name.
    Original,
    /// Anywhere else.
    Compatible,
}

/// Address and key. The library's own type would add headers from the environment, for whatever server.
#[derive(Clone)]
struct Endpoint {
    base_url: String,
    key: SecretString,
    headers: HeaderMap,
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base_url
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

impl std::fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenAi").field("base_url", &self.client.config().base_url).finish_non_exhaustive()
    }
}

impl OpenAi {
    /// A client of the server at `base_url`. A key that is no header is left out; the server will say that it lacks.
    ///
    /// # Errors
    /// If the HTTP client does not start.
    pub(crate) fn at(base_url: &str, key: Option<&SecretString>) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(USER_AGENT)
            .build()?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        let is_original = base_url.starts_with("https://api.openai.com/");
        let address = if is_original { Address::Original } else { Address::Compatible };
        let endpoint = Endpoint {
            headers: key.and_then(bearer).map(|value| (AUTHORIZATION, value)).into_iter().collect(),
            key: key.cloned().unwrap_or_default(),
            base_url,
        };
        let sender = http.clone();
        let service = service_fn(move |factory: HttpRequestFactory| transport::send(sender.clone(), factory));
        let client = Client::build(http, endpoint).with_http_service(service);
        Ok(Self { client, address })
    }

    /// Makes one call, and no second one.
    ///
    /// # Errors
    /// Says why there is no answer.
    pub(crate) async fn complete(&self, request: &ChatRequest<'_>) -> Result<ChatAnswer, CallError> {
        let body = request::body(request, self.address);
        let answer: Result<Value, OpenAIError> = self.client.chat().create_byot(body).await;
        let answer = answer.map_err(call_error)?;
        let completion: Completion = serde_json::from_value(answer).map_err(|_| CallError::BadResponse)?;
        completion.answer()
    }
}

fn bearer(key: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What the transport said; anything else never got as far as a server.
fn call_error(error: OpenAIError) -> CallError {
    match error {
        OpenAIError::Boxed(error) => error.downcast_ref().copied().unwrap_or(CallError::Unreachable),
        OpenAIError::Reqwest(_)
        | OpenAIError::ApiError(_)
        | OpenAIError::JSONDeserialize(..)
        | OpenAIError::FileSaveError(_)
        | OpenAIError::FileReadError(_)
        | OpenAIError::StreamError(_)
        | OpenAIError::InvalidArgument(_) => CallError::Unreachable,
    }
}
