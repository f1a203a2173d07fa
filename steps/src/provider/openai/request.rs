//! A request in the protocol's words.

use super::Address;
use crate::provider::model::{ChatRequest, Format, Message, Role};
use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, ResponseFormat, ResponseFormatJsonSchema,
};

/// The body of a request.
pub(super) fn body(request: &ChatRequest<'_>, address: Address) -> CreateChatCompletionRequest {
    let body = CreateChatCompletionRequest {
        model: request.model.to_owned(),
        messages: request.messages.iter().map(message).collect(),
        temperature: request.temperature,
        response_format: response_format(request),
        ..CreateChatCompletionRequest::default()
    };
    limited(body, request.max_tokens, address)
}

/// Servers other than the original know the limit by its old name, and some by no other.
#[expect(deprecated, reason = "the old name is the one that compatible servers know")]
fn limited(
    body: CreateChatCompletionRequest,
    most: Option<u32>,
    address: Address,
) -> CreateChatCompletionRequest {
    match address {
        Address::Original => CreateChatCompletionRequest { max_completion_tokens: most, ..body },
        Address::Compatible => CreateChatCompletionRequest { max_tokens: most, ..body },
    }
}

fn message(message: &Message) -> ChatCompletionRequestMessage {
    let text = message.text.as_str();
    match message.role {
        Role::System => ChatCompletionRequestSystemMessage::from(text).into(),
        Role::User => ChatCompletionRequestUserMessage::from(text).into(),
        Role::Assistant => ChatCompletionRequestAssistantMessage::from(text).into(),
    }
}

fn response_format(request: &ChatRequest<'_>) -> Option<ResponseFormat> {
    match request.format {
        Format::JsonSchema => Some(ResponseFormat::JsonSchema {
            json_schema: ResponseFormatJsonSchema {
                name: request.name.to_owned(),
                description: None,
                schema: request.schema.clone(),
                strict: Some(true),
            },
        }),
        Format::JsonObject => Some(ResponseFormat::JsonObject),
        Format::Prompt => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn sent(format: Format, address: Address) -> Value {
        let schema = json!({ "type": "object" });
        let said = |role, text: &str| Message { role, text: text.to_owned() };
        let messages = [said(Role::System, "s"), said(Role::User, "u"), said(Role::Assistant, "a")];
        let request = ChatRequest {
            model: "m",
            messages: &messages,
            temperature: Some(0.5),
            max_tokens: Some(9),
            format,
            name: "classify",
            schema: &schema,
        };
        serde_json::to_value(body(&request, address)).unwrap()
    }

    #[test]
    fn each_rung_asks_for_the_form_in_its_own_way() {
        let schema = sent(Format::JsonSchema, Address::Compatible);
        let format = &schema["response_format"];
        assert_eq!(
            (&format["type"], &format["json_schema"]["strict"]),
            (&json!("json_schema"), &json!(true))
        );
        assert_eq!(format["json_schema"]["name"], "classify");
        assert_eq!(sent(Format::JsonObject, Address::Compatible)["response_format"]["type"], "json_object");
        assert!(sent(Format::Prompt, Address::Compatible).get("response_format").is_none());
        let roles: Vec<_> =
            schema["messages"].as_array().unwrap().iter().map(|m| m["role"].clone()).collect();
        assert_eq!(roles, ["system", "user", "assistant"]);
    }

    #[test]
    fn the_limit_of_an_answer_has_the_name_that_the_server_knows() {
        let original = sent(Format::Prompt, Address::Original);
        assert_eq!((original.get("max_tokens"), &original["max_completion_tokens"]), (None, &json!(9)));
        let compatible = sent(Format::Prompt, Address::Compatible);
        assert_eq!((compatible.get("max_completion_tokens"), &compatible["max_tokens"]), (None, &json!(9)));
    }
}
