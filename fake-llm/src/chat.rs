//! Owns completions: what a request asks for, and the answer that a well-behaved server gives.

use crate::{
    answer::{Evidence, Told, fill, prose},
    ledger::Seen,
    mode::Mode,
    respond,
    server::Shared,
    strict,
    wire::{self, ChatMessage, ChatRequest, ResponseFormat},
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The same request is answered the same, the time included.
const CREATED: u64 = 1_767_225_600;

/// `POST /v1/chat/completions`.
pub(crate) async fn complete(
    State(state): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request: ChatRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return wire::bad_request(&format!("The body is no request for a completion: {error}")),
    };
    let Ok(turn) = state.begin(&uri, &headers, &body, &request.model) else {
        return wire::no_model(&request.model);
    };
    if let Some(fault) = fault(&request, turn.mode) {
        return wire::bad_request(&fault);
    }
    let completion = completion(&request, &turn.seen, turn.mode);
    respond::send(&state, turn, &completion).await
}

/// Why a server would refuse the request before any model sees it.
fn fault(request: &ChatRequest, mode: Mode) -> Option<String> {
    let unsupported =
        |kind: &str| Some(format!("'response_format' of type '{kind}' is not supported with this model."));
    if request.stream {
        return Some("This server does not stream.".to_owned());
    }
    match &request.response_format {
        ResponseFormat::JsonObject if mode == Mode::NoJsonObject => unsupported("json_object"),
        ResponseFormat::JsonObject => {
            let says_json =
                request.messages.iter().any(|message| message.text().to_lowercase().contains("json"));
            let fault = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            (!says_json).then(|| fault.to_owned())
        }
        ResponseFormat::JsonSchema { .. } if matches!(mode, Mode::NoJsonSchema | Mode::NoJsonObject) => {
            unsupported("json_schema")
        }
        ResponseFormat::JsonSchema { json_schema } if json_schema.strict => {
            let fault = strict::fault(&json_schema.schema)?;
            Some(format!("Invalid schema for response_format: {fault}"))
        }
        ResponseFormat::Text | ResponseFormat::JsonSchema { .. } => None,
    }
}

fn completion(request: &ChatRequest, seen: &Seen, mode: Mode) -> Value {
    let said = |content: String, reason: &'static str| (Value::String(content), Value::Null, reason);
    let whole = content(request, mode);
    let (content, refusal, reason) = if mode == Mode::Refusal {
        (Value::Null, json!("I'm sorry, but I can't help with that."), "stop")
    } else if mode == Mode::Length {
        said(half(&whole), "length")
    } else if mode == Mode::InvalidJson {
        said(half(&whole), "stop")
    } else if mode == Mode::WrongShape {
        said(r#"{"unexpected": [1, 2, 3]}"#.to_owned(), "stop")
    } else {
        let (content, reason) = within(request, whole);
        said(content, reason)
    };
    let prompt: usize = request.messages.iter().map(|message| wire::tokens(&message.text()) + 4).sum();
    let completion = wire::tokens(content.as_str().unwrap_or_default());
    let mut body = json!({
        "id": format!("chatcmpl-{}", &seen.body_hash[..24]),
        "object": "chat.completion",
        "created": CREATED,
        "model": request.model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content, "refusal": refusal },
            "logprobs": null,
            "finish_reason": reason,
        }],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": { "cached_tokens": 0 },
        },
    });
    if let (Mode::NoUsage, Some(members)) = (mode, body.as_object_mut()) {
        members.remove("usage");
    }
    body
}

/// The content, as far as the request lets the model speak.
fn within(request: &ChatRequest, whole: String) -> (String, &'static str) {
    let most = request.max_completion_tokens.unwrap_or(usize::MAX);
    if wire::tokens(&whole) <= most {
        return (whole, "stop");
    }
    (whole.chars().take(most * 4).collect(), "length")
}

/// What the model says: by the schema of the request, else by the one that the prompt spells out, else prose.
fn content(request: &ChatRequest, mode: Mode) -> String {
    let evidence = evidence(request, mode);
    let spelt_out = || request.messages.iter().find_map(|message| strict::schema_in(&message.text()));
    match &request.response_format {
        ResponseFormat::JsonSchema { json_schema } => fill(&json_schema.schema, &evidence).to_string(),
        ResponseFormat::JsonObject => match spelt_out() {
            Some(schema) => fill(&schema, &evidence).to_string(),
            None => json!({ "answer": prose(&evidence) }).to_string(),
        },
        // As models do that are not held to a format.
        ResponseFormat::Text => match spelt_out() {
            Some(schema) => format!("Here is the JSON:\n\n```json\n{:#}\n```", fill(&schema, &evidence)),
            None => prose(&evidence),
        },
    }
}

/// What the model reads: what was said last; when it obeys, what was said first, in the light of what came after.
fn evidence(request: &ChatRequest, mode: Mode) -> Evidence {
    let mut said = request.messages.iter().filter(|message| message.role == "user").map(ChatMessage::text);
    let text = said.next().unwrap_or_default();
    let last = said.next_back().unwrap_or_default();
    if mode == Mode::Obey {
        let prompt = request.messages.iter().find(|message| message.role == "system").map(ChatMessage::text);
        let prompt = prompt.unwrap_or_default();
        return Evidence::obeying(Told { text: &text, prompt: &prompt, reproach: &last });
    }
    Evidence::of(if last.is_empty() { &text } else { &last })
}

fn half(text: &str) -> String {
    text.chars().take(text.chars().count() / 2).collect()
}
