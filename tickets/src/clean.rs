//! Makes texts and JSON fit for the database, which cannot hold U+0000. What comes from customers was checked at the
//! edge; this is for what models, operators and errors say.

use serde_json::Value;
use std::borrow::Cow;

/// The text without U+0000.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}

/// The text, owned, without U+0000.
pub(crate) fn owned(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

/// The value with no U+0000 in any text or key.
pub(crate) fn json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(owned(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(json).collect()),
        Value::Object(object) => {
            Value::Object(object.into_iter().map(|(key, item)| (owned(key), json(item))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// Whether two values are the same to the database, which keeps one kind of number.
pub(crate) fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_json(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, item)| other.get(key).is_some_and(|found| same_json(item, found)))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nul_is_taken_out_wherever_it_hides() {
        let dirty = json!({ "a\0": ["x\0y", { "b": "\0" }], "n": 1 });
        assert_eq!(json(dirty), json!({ "a": ["xy", { "b": "" }], "n": 1 }));
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        assert!(same_json(&json!({ "a": [1e16] }), &json!({ "a": [10_000_000_000_000_000_u64] })));
        assert!(!same_json(&json!([1]), &json!([1, 2])));
        assert!(!same_json(&json!("1"), &json!(1)));
    }
}
