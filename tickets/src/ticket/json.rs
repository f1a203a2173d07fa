//! Owns the way from a request's JSON to a [`NewTicket`]: every fault is named, not only the first.

use super::{
    error::{FieldError, FieldErrorCode},
    metadata::Metadata,
    new::{Channel, NewTicket},
    text::{Body, CustomerId, Subject},
};
use serde_json::{Map, Value};

const FIELDS: [&str; 5] = ["subject", "body", "customer_id", "channel", "metadata"];

impl NewTicket {
    /// Parses a request's JSON and collects everything that is wrong with it.
    pub fn from_json(value: &Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(object) = value else {
            return Err(vec![FieldError::whole(FieldErrorCode::WrongType, "must be an object")]);
        };
        let unknown = object.keys().filter(|key| !FIELDS.contains(&key.as_str()));
        let mut faults: Vec<_> = unknown.map(|key| unknown_field(key)).collect();
        let subject = keep(text(object, "subject", Subject::parse), &mut faults);
        let body = keep(text(object, "body", Body::parse), &mut faults);
        let customer_id = keep(text(object, "customer_id", CustomerId::parse), &mut faults);
        let channel = keep(channel(object), &mut faults);
        let metadata = keep(metadata(object), &mut faults);
        match (subject, body, customer_id, channel, metadata) {
            (Some(subject), Some(body), Some(customer_id), Some(channel), Some(metadata))
                if faults.is_empty() =>
            {
                Ok(Self { subject, body, customer_id, channel, metadata })
            }
            _ => Err(faults),
        }
    }
}

fn keep<T>(parsed: Result<T, FieldError>, faults: &mut Vec<FieldError>) -> Option<T> {
    parsed.map_err(|fault| faults.push(fault)).ok()
}

fn unknown_field(key: &str) -> FieldError {
    let shown: String = key.chars().take(60).collect();
    FieldError::at(key, FieldErrorCode::UnknownField, format!("there is no field {shown:?}"))
}

/// The field's value; null counts as missing.
fn present<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|value| !value.is_null())
}

fn text<T>(
    object: &Map<String, Value>,
    field: &str,
    parse: impl FnOnce(&str) -> Result<T, FieldError>,
) -> Result<T, FieldError> {
    match present(object, field) {
        None => Err(FieldError::at(field, FieldErrorCode::Required, "is required")),
        Some(Value::String(raw)) => parse(raw),
        Some(_) => Err(FieldError::at(field, FieldErrorCode::WrongType, "must be a string")),
    }
}

fn channel(object: &Map<String, Value>) -> Result<Channel, FieldError> {
    match present(object, "channel") {
        None => Ok(Channel::default()),
        Some(value) => value.as_str().and_then(Channel::parse).ok_or_else(|| {
            let words: Vec<_> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
            let detail = format!("must be one of {}", words.join(", "));
            FieldError::at("channel", FieldErrorCode::UnknownWord, detail)
        }),
    }
}

fn metadata(object: &Map<String, Value>) -> Result<Metadata, FieldError> {
    match present(object, "metadata") {
        None => Ok(Metadata::default()),
        Some(Value::Object(metadata)) => Metadata::parse(metadata.clone()),
        Some(_) => Err(FieldError::at("metadata", FieldErrorCode::WrongType, "must be an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_minimal_ticket_parses() {
        let ticket =
            NewTicket::from_json(&json!({ "subject": " Hi ", "body": "Where?", "customer_id": "c-1" }))
                .unwrap();
        assert_eq!(ticket.subject.as_str(), "Hi");
        assert_eq!(ticket.channel, Channel::Api);
        assert!(ticket.metadata.as_map().is_empty());
    }

    #[test]
    fn every_fault_is_named() {
        let faults = NewTicket::from_json(&json!({
            "subject": " ", "body": 7, "channel": "fax", "metadata": [], "a/b": 1,
        }))
        .unwrap_err();
        let named: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        assert_eq!(
            named,
            [
                ("/a~1b", FieldErrorCode::UnknownField),
                ("/subject", FieldErrorCode::Blank),
                ("/body", FieldErrorCode::WrongType),
                ("/customer_id", FieldErrorCode::Required),
                ("/channel", FieldErrorCode::UnknownWord),
                ("/metadata", FieldErrorCode::WrongType),
            ]
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_refused_as_a_whole() {
        let faults = NewTicket::from_json(&json!([])).unwrap_err();
        assert_eq!(faults[0].pointer, "");
    }
}
