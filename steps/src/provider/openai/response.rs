//! An answer in the protocol's words, read leniently: compatible servers leave out what they do not know.

use crate::provider::model::{CallError, ChatAnswer, End};
use serde::Deserialize;
use serde_json::Value;
use ticketflow_tickets::triage::Tokens;

/// The body of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Answer,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

impl Completion {
    /// The first choice, which is the only one that was asked for.
    pub(super) fn answer(self) -> Result<ChatAnswer, CallError> {
        let choice = self.choices.into_iter().next().ok_or(CallError::BadResponse)?;
        let end = match choice.finish_reason.as_deref() {
            _ if choice.message.refusal.is_some() => End::Declined,
            Some("content_filter") => End::Declined,
            Some("length") => End::CutOff,
            Some(_) | None => End::Done,
        };
        let text = choice.message.content.unwrap_or_default();
        if text.is_empty() && end == End::Done {
            return Err(CallError::BadResponse);
        }
        Ok(ChatAnswer { text, end, tokens: tokens(self.usage) })
    }
}

/// What was used, as far as the server says it in a way that can be read: an answer is none the worse without.
fn tokens(usage: Value) -> Option<Tokens> {
    serde_json::from_value::<Usage>(usage).ok().map(Tokens::from)
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.prompt_tokens,
            output: usage.completion_tokens,
            cached: usage.prompt_tokens_details.and_then(|details| details.cached_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<ChatAnswer, CallError> {
        let completion: Result<Completion, _> = serde_json::from_value(body);
        completion.map_err(|_| CallError::BadResponse)?.answer()
    }

    fn said(message: &Value, finish_reason: &str) -> Result<ChatAnswer, CallError> {
        read(json!({ "choices": [{ "message": message, "finish_reason": finish_reason }] }))
    }

    #[test]
    fn an_answer_whose_usage_cannot_be_read_is_an_answer() {
        for usage in
            [json!({}), json!({ "prompt_tokens": null }), json!({ "prompt_tokens": 1.5 }), json!("7")]
        {
            let choice = json!({ "message": { "content": "{}" }, "finish_reason": "stop" });
            let answer = read(json!({ "choices": [choice], "usage": usage })).unwrap();
            assert_eq!((answer.text.as_str(), answer.tokens), ("{}", None));
        }
    }

    #[test]
    fn an_answer_without_usage_is_an_answer() {
        let answer = said(&json!({ "content": "{}" }), "stop").unwrap();
        assert_eq!((answer.text.as_str(), answer.end, answer.tokens), ("{}", End::Done, None));
    }

    #[test]
    fn cached_tokens_are_read_where_they_are_told() {
        let usage = json!({ "prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": { "cached_tokens": 4 } });
        let body = json!({ "choices": [{ "message": { "content": "x" } }], "usage": usage });
        assert_eq!(read(body).unwrap().tokens, Some(Tokens { input: 9, output: 2, cached: Some(4) }));
    }

    #[test]
    fn declining_and_being_cut_off_are_told_apart() {
        assert_eq!(said(&json!({ "content": null, "refusal": "no" }), "stop").unwrap().end, End::Declined);
        assert_eq!(said(&json!({ "content": "" }), "content_filter").unwrap().end, End::Declined);
        assert_eq!(said(&json!({ "content": "{\"a\":" }), "length").unwrap().end, End::CutOff);
    }

    #[test]
    fn what_is_no_answer_is_not_of_the_protocol() {
        for body in
            [json!([]), json!({}), json!({ "choices": [] }), json!({ "choices": [{ "message": {} }] })]
        {
            assert_eq!(read(body.clone()), Err(CallError::BadResponse), "{body}");
        }
    }
}
