//! What the fake model answers: valid by any schema, from the words of the text, and always the same.

use crate::client::{TICKET, Talk, by_schema, content, request, schema};
use proptest::prelude::*;
use serde_json::{Value, json};
use ticketflow_fake_llm::Behaviour;

async fn answered(talk: &Talk, body: &Value) -> Value {
    serde_json::from_str(content(&talk.answer(body).await)).unwrap()
}

#[tokio::test]
async fn answers_come_from_the_text_and_stay_the_same() {
    let talk = Talk::start(Behaviour::default()).await;
    let body = by_schema(TICKET, &schema());
    let answer = talk.answer(&body).await;
    let found: Value = serde_json::from_str(content(&answer)).unwrap();
    assert_eq!(found["category"], "billing");
    assert_eq!(found["order_id"], "ORD-48213");
    assert_eq!(found["asks"], json!(["Please refund one of them.", "Can you write to ada@example.org?"]));
    assert_eq!(talk.answer(&body).await, answer);
    let usage = &answer["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert!(count("prompt_tokens") > 40 && count("completion_tokens") > 20, "{usage}");
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));
    let nothing = answered(&talk, &by_schema("Hello there.", &schema())).await;
    assert_eq!((&nothing["category"], &nothing["order_id"]), (&json!("general"), &Value::Null));
}

#[tokio::test]
async fn a_schema_in_the_prompt_is_kept_without_a_response_format() {
    let talk = Talk::start(Behaviour::default()).await;
    let text = format!("Answer as JSON by this schema:\n{}\n<ticket>\n{TICKET}\n</ticket>", schema());
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let object = answered(&talk, &request(&text, &json!({ "type": "json_object" }))).await;
    assert!(validator.is_valid(&object), "{object}");
    let prompted = talk.answer(&request(&text, &json!({ "type": "text" }))).await;
    let fenced = content(&prompted).split("```json").nth(1).unwrap().trim_end_matches('`');
    assert!(validator.is_valid(&serde_json::from_str(fenced).unwrap()), "{fenced}");
    let prose = talk.answer(&request("My lamp broke.", &json!({ "type": "text" }))).await;
    assert!(content(&prose).contains("“My lamp broke.”"));
}

#[tokio::test]
async fn no_more_is_said_than_the_request_allows() {
    let talk = Talk::start(Behaviour::default()).await;
    let mut body = by_schema(TICKET, &schema());
    body["max_completion_tokens"] = json!(5);
    let answer = talk.answer(&body).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 5);
}

/// Schemas as programs write them: closed objects, lists, enumerations, bounds, references, alternatives.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "boolean" })),
        Just(json!({ "type": "string" })),
        Just(json!({ "type": ["string", "null"] })),
        Just(json!({ "type": "string", "minLength": 3, "maxLength": 5 })),
        Just(json!({ "type": "string", "format": "date" })),
        Just(json!({ "type": "string", "format": "email" })),
        Just(json!({ "type": "string", "pattern": "^[a-z]{2}$" })),
        Just(json!({ "enum": ["low", "high", 3] })),
        Just(json!({ "const": "fixed" })),
        Just(json!({ "$ref": "#/$defs/shared" })),
        (-5_i64..5, 0_i64..9).prop_map(|(least, more)| {
            json!({ "type": "integer", "minimum": least, "maximum": least + more })
        }),
        Just(json!({ "type": "number", "minimum": 0, "maximum": 1 })),
    ];
    let name = prop::sample::select(vec![
        "order_id",
        "text",
        "confidence",
        "dates",
        "emails",
        "x",
        "asks",
        "language",
    ]);
    let nested = leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::btree_map(name.clone(), inner.clone(), 0..4).prop_map(|properties| json!({
                "type": "object",
                "additionalProperties": false,
                "required": properties.keys().collect::<Vec<_>>(),
                "properties": properties,
            })),
            (inner.clone(), 0_usize..3).prop_map(|(items, least)| json!({
                "type": "array", "items": items, "minItems": least, "maxItems": least + 2
            })),
            inner.prop_map(|schema| json!({ "anyOf": [schema, { "type": "null" }] })),
        ]
    });
    let shared = json!({ "shared": { "type": "array", "items": { "type": "integer", "minimum": 2 } } });
    nested.prop_map(move |schema| {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["answer"],
            "properties": { "answer": schema },
            "$defs": shared.clone(),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_schema_is_filled_as_it_says(schema in any_schema(), text in prop_oneof![Just(TICKET.to_owned()), any::<String>()]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let talk = Talk::start(Behaviour::default()).await;
            answered(&talk, &by_schema(&text, &schema)).await
        });
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        prop_assert!(validator.is_valid(&answer), "{schema}: {answer}");
    }
}
