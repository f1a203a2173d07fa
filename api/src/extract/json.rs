//! Strict JSON: no duplicate keys, bounded depth, no lone surrogates, nothing after the value.

use crate::problem::{Code, Fault, Problem};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Deepest nesting of a request's JSON.
const MAX_DEPTH: usize = 32;

/// Reads a whole JSON text.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Value, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: MAX_DEPTH }.deserialize(&mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| refuse(bytes, &error))
}

fn refuse(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Problem::new(Code::MalformedJson, "the body is empty; send a JSON document");
    }
    // What the strict reader itself refuses is well-formed JSON that must not be taken.
    let text = error.to_string();
    let place = format!("at line {}, column {}", error.line(), error.column());
    match text.strip_prefix(REFUSED).and_then(|rest| rest.split(" at line ").next()) {
        Some(detail) => {
            let code = if detail.starts_with(TOO_DEEP) { "too_deep" } else { "duplicate_key" };
            let fault = Fault { pointer: String::new(), code, detail: format!("{detail} {place}") };
            Problem::invalid_body(vec![fault])
        }
        None => Problem::new(Code::MalformedJson, format!("the body is not valid JSON: {text}")),
    }
}

const REFUSED: &str = "refused: ";
const TOO_DEEP: &str = "nests deeper than";

/// Reads a value that may nest `depth` deep.
struct Strict {
    depth: usize,
}

impl Strict {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format_args!("{REFUSED}{TOO_DEEP} {MAX_DEPTH}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self.inner()?)?;
            if object.insert(key.clone(), value).is_some() {
                let shown: String = key.chars().take(60).collect();
                return Err(A::Error::custom(format_args!("{REFUSED}has the key {shown:?} twice")));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(text: &str) -> Code {
        parse_json(text.as_bytes()).unwrap_err().code()
    }

    #[test]
    fn json_is_read_as_it_stands() {
        let text = r#"{"a":[1,-2,3.5,true,null,"ü"],"b":{}}"#;
        let value = parse_json(text.as_bytes()).unwrap();
        assert_eq!(value, json!({ "a": [1, -2, 3.5, true, null, "ü"], "b": {} }));
    }

    #[test]
    fn malformed_text_is_told_from_text_that_is_refused() {
        for malformed in ["", "  ", "{", "{\"a\":1} x", "[1,]", "\u{7f}", "\"\\ud800\""] {
            assert_eq!(code(malformed), Code::MalformedJson, "{malformed}");
        }
        assert_eq!(code(r#"{"a":1,"a":2}"#), Code::InvalidBody);
        assert_eq!(code(&format!("{}{}", "[".repeat(60), "]".repeat(60))), Code::InvalidBody);
        assert_eq!(code(&"[".repeat(100_000)), Code::InvalidBody);
    }

    #[test]
    fn the_deepest_allowed_nesting_is_taken() {
        let text = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(parse_json(text.as_bytes()).is_ok());
    }
}
