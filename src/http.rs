//! Client of the program's own REST API, for the commands that act on tickets and runs.

use crate::{exit::Exit, output::printable};
use anyhow::Context as _;
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The API, as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    base: Url,
    client: reqwest::Client,
}

/// An answer with the headers that matter.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) body: T,
    pub(crate) replayed: bool,
}

impl Api {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let base = Url::parse(url)
            .map_err(|_| Exit::Usage.with(format!("{url} is not a URL; --url takes one like {EXAMPLE}")))?;
        let client =
            reqwest::Client::builder().no_proxy().build().context("cannot set up the HTTP client")?;
        Ok(Self { base, client })
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> anyhow::Result<T> {
        let request = self.request(Method::GET, path)?.query(query);
        Ok(self.send(request).await?.body)
    }

    pub(crate) async fn text(&self, path: &str) -> anyhow::Result<String> {
        let response =
            self.request(Method::GET, path)?.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let text = response.text().await?;
        if status.is_success() { Ok(text) } else { Err(problem(status, &text)) }
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Answer<T>> {
        self.send(self.request(Method::POST, path)?.json(body)).await
    }

    pub(crate) async fn post_keyed<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, String)],
    ) -> anyhow::Result<Answer<T>> {
        let mut request = self.request(Method::POST, path)?.json(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.send(request).await
    }

    /// Changes what has the entity tag `seen`.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        seen: &str,
    ) -> anyhow::Result<T> {
        let request = self.request(Method::PATCH, path)?.header("if-match", seen).json(body);
        Ok(self.send(request).await?.body)
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<reqwest::RequestBuilder> {
        let url = self.base.join(path).with_context(|| format!("{path} is not a path"))?;
        Ok(self.client.request(method, url))
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answer<T>> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let replayed = response.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
        let text = response.text().await?;
        if !status.is_success() {
            return Err(problem(status, &text));
        }
        let body =
            serde_json::from_str(&text).context("the API's answer is not what this program expects")?;
        Ok(Answer { body, replayed })
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        tracing::debug!(error = error as &dyn std::error::Error, "request failed");
        Exit::Unreachable.with(format!(
            "no API answers at {}; start one with `ticketflow up`, or name it with --url",
            self.base
        ))
    }
}

const EXAMPLE: &str = "http://127.0.0.1:8000";

/// The failure that a problem document describes.
fn problem(status: StatusCode, text: &str) -> anyhow::Error {
    let document: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let field = |name: &str| document.get(name).and_then(Value::as_str);
    let mut message = field("detail").or_else(|| field("title")).unwrap_or(text).to_owned();
    let errors = document.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // A single fault stands in the detail already.
    for error in errors.iter().filter(|_| errors.len() > 1) {
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        message.extend(["\n  ", part("pointer"), ": ", part("detail")]);
    }
    let exit = match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Exit::Conflict,
        StatusCode::SERVICE_UNAVAILABLE => Exit::Unreachable,
        _ => Exit::Failed,
    };
    exit.with(printable(&message))
}
