//! Owns the free-form part of a ticket: a JSON object of bounded size and depth that the database can store.

use super::error::{FieldError, FieldErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const FIELD: &str = "metadata";

/// A JSON object of at most 16 KiB, nested at most 8 deep, without NUL (which `jsonb` cannot hold).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Most bytes of compact JSON.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// Deepest nesting; the object itself counts as one.
    pub const MAX_DEPTH: usize = 8;

    /// Checks size, depth and characters.
    pub fn parse(object: Map<String, Value>) -> Result<Self, FieldError> {
        let value = Value::Object(object);
        if depth(&value, Self::MAX_DEPTH + 1) > Self::MAX_DEPTH {
            let detail = format!("must not nest deeper than {}", Self::MAX_DEPTH);
            return Err(FieldError::at(FIELD, FieldErrorCode::TooDeep, detail));
        }
        let bytes = value.to_string().len();
        if bytes > Self::MAX_BYTES {
            let detail = format!("must have at most {} bytes, has {bytes}", Self::MAX_BYTES);
            return Err(FieldError::at(FIELD, FieldErrorCode::TooLarge, detail));
        }
        if holds_nul(&value) {
            return Err(FieldError::at(FIELD, FieldErrorCode::InvalidCharacter, "must not contain U+0000"));
        }
        match value {
            Value::Object(object) => Ok(Self(object)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(FieldError::at(FIELD, FieldErrorCode::WrongType, "must be an object"))
            }
        }
    }

    /// The object.
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Depth of `value`, not looking further down than `limit`.
fn depth(value: &Value, limit: usize) -> usize {
    if limit == 0 {
        return 0;
    }
    match value {
        Value::Array(items) => 1 + items.iter().map(|item| depth(item, limit - 1)).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(|item| depth(item, limit - 1)).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(object) => object.iter().any(|(key, item)| key.contains('\0') || holds_nul(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl TryFrom<Map<String, Value>> for Metadata {
    type Error = FieldError;

    fn try_from(object: Map<String, Value>) -> Result<Self, Self::Error> {
        Self::parse(object)
    }
}

impl From<Metadata> for Map<String, Value> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: Value) -> Result<Metadata, FieldErrorCode> {
        serde_json::from_value(value)
            .map_err(|error| error.to_string())
            .and_then(|object| Metadata::parse(object).map_err(|error| error.code.to_string()))
            .map_err(|code| FieldErrorCode::parse(&code).unwrap())
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let mut nested = json!({});
        for _ in 1..Metadata::MAX_DEPTH {
            nested = json!({ "a": nested });
        }
        assert!(parse(nested.clone()).is_ok());
        assert_eq!(parse(json!({ "a": nested })), Err(FieldErrorCode::TooDeep));
        assert_eq!(parse(json!({ "a": "x".repeat(Metadata::MAX_BYTES) })), Err(FieldErrorCode::TooLarge));
    }

    #[test]
    fn nul_is_found_wherever_it_hides() {
        assert_eq!(parse(json!({ "a": [{ "b\0": 1 }] })), Err(FieldErrorCode::InvalidCharacter));
        assert_eq!(parse(json!({ "a": ["\0"] })), Err(FieldErrorCode::InvalidCharacter));
    }
}
