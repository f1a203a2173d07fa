//! Owns what a server asks of a strict schema. Those who pass here by leniency would fail at a real server.

use serde_json::Value;
use std::collections::BTreeSet;

/// What is wrong with a schema that is to be kept strictly: every object closed, every property required.
pub(crate) fn fault(schema: &Value) -> Option<String> {
    let object = schema.as_object()?;
    if let Some(properties) = object.get("properties").and_then(Value::as_object) {
        if object.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some("'additionalProperties' is required to be supplied and to be false.".to_owned());
        }
        let required = object.get("required").and_then(Value::as_array);
        let required: BTreeSet<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        if let Some(missing) = properties.keys().find(|name| !required.contains(name.as_str())) {
            return Some(format!("'required' must include every key in properties. Missing '{missing}'."));
        }
    }
    object.values().find_map(|value| match value {
        Value::Object(_) => fault(value),
        Value::Array(values) => values.iter().find_map(fault),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The first JSON schema of an object that stands in a text.
pub(crate) fn schema_in(text: &str) -> Option<Value> {
    text.match_indices('{').find_map(|(at, _)| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        let value = values.next()?.ok()?;
        value.get("properties").is_some_and(Value::is_object).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strict_schemas_are_closed_and_require_everything() {
        let inner = |inner: Value| json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": inner}});
        assert_eq!(fault(&inner(json!({"type": "string"}))), None);
        assert_eq!(fault(&inner(inner(json!({"anyOf": [{"type": "null"}]})))), None);
        let open = json!({"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}}});
        let within_list = inner(json!({"anyOf": [{"type": "null"}, open]}));
        assert!(fault(&within_list).unwrap().contains("additionalProperties"));
        let optional = json!({"additionalProperties": false, "required": [], "properties": {"b": {}}});
        assert!(fault(&inner(optional)).unwrap().contains("Missing 'b'"));
    }

    #[test]
    fn a_schema_is_found_among_words_and_other_braces() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let text = format!("Use {{braces}} and {{\"x\": 1}}. Answer by this schema:\n{schema}\nThanks {{");
        assert_eq!(schema_in(&text), Some(schema));
        assert_eq!(schema_in("{ no schema }"), None);
    }
}
