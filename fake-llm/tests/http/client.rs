//! Owns a plain client of a fake model.

use reqwest::{Client, Response, redirect::Policy};
use serde_json::{Value, json};
use ticketflow_fake_llm::{Behaviour, FakeModel, Mode};

/// A server, and a client that follows no redirection.
pub(crate) struct Talk {
    pub(crate) model: FakeModel,
    client: Client,
}

impl Talk {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let model = FakeModel::start(behaviour).await.unwrap();
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { model, client }
    }

    pub(crate) async fn always(mode: Mode) -> Self {
        Self::start(Behaviour::always(mode)).await
    }

    /// Asks for what is not under `/v1`.
    pub(crate) fn beside(&self, path: &str) -> String {
        self.model.url().replace("/v1", path)
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn send(&self, path: &str, body: &Value) -> reqwest::Result<Response> {
        let request = self.client.post(format!("{}{path}", self.model.url()));
        request.bearer_auth("sk-test").json(body).send().await
    }

    /// Asks for a completion.
    pub(crate) async fn ask(&self, body: &Value) -> Response {
        self.send("/chat/completions", body).await.unwrap()
    }

    /// Asks for a completion and reads the answer.
    pub(crate) async fn answer(&self, body: &Value) -> Value {
        let response = self.ask(body).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }
}

pub(crate) const TICKET: &str = "Hello, my order ORD-48213 was charged twice on invoice INV-2026-0042: 49.90 EUR. \
                                 Please refund one of them. Can you write to ada@example.org?";

/// A small schema, closed and with everything required.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["category", "confidence", "order_id", "asks"],
        "properties": {
            "category": { "enum": ["general", "technical", "billing"] },
            "confidence": { "type": "number", "minimum": 0, "maximum": 1 },
            "order_id": { "type": ["string", "null"] },
            "asks": { "type": "array", "items": { "type": "string" } },
        },
    })
}

pub(crate) fn request(text: &str, format: &Value) -> Value {
    let messages = [
        json!({ "role": "system", "content": "Answer with JSON." }),
        json!({ "role": "user", "content": text }),
    ];
    json!({ "model": "test", "messages": messages, "response_format": format })
}

pub(crate) fn by_schema(text: &str, schema: &Value) -> Value {
    let named = json!({ "name": "answer", "strict": true, "schema": schema });
    request(text, &json!({ "type": "json_schema", "json_schema": named }))
}

pub(crate) fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}
