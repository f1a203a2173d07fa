//! Reads an object field by field and remembers every fault, so that one answer names them all.

use crate::problem::Fault;
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};
use ticketflow_engine::{StepName, client::EditedOutputs};

/// Most characters of a step's name.
const MAX_NAME: usize = 200;

/// A field that does not hold what it should; what is wrong is among the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// The fields of an object, as far as they were asked for.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which must be an object.
    pub(crate) fn of(value: &'a Value) -> Result<Self, Vec<Fault>> {
        let object = value.as_object().ok_or_else(|| vec![fault("", "wrong_type", "must be an object")])?;
        Ok(Self { object, known: Vec::new(), faults: Vec::new() })
    }

    /// Every fault found, with a fault for each field nobody asked for.
    pub(crate) fn finish(mut self) -> Vec<Fault> {
        let unknown = self.object.keys().filter(|key| !self.known.contains(&key.as_str()));
        let unknown = unknown.map(|key| {
            let shown: String = key.chars().take(60).collect();
            fault(key, "unknown_field", &format!("there is no field {shown:?}"))
        });
        self.faults.extend(unknown.collect::<Vec<_>>());
        self.faults
    }

    /// The field, if it is there; null counts as missing.
    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn refuse<T>(&mut self, name: &str, code: &'static str, detail: &str) -> Result<T, Refused> {
        self.faults.push(fault(name, code, detail));
        Err(Refused)
    }

    /// A text that must be there.
    pub(crate) fn text(&mut self, name: &'static str, max: usize) -> Result<String, Refused> {
        match self.get(name) {
            None => self.refuse(name, "required", "is required"),
            Some(value) => self.visible(name, value, max),
        }
    }

    /// A text that may be there.
    pub(crate) fn optional_text(
        &mut self,
        name: &'static str,
        max: usize,
    ) -> Result<Option<String>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => self.visible(name, value, max).map(Some),
        }
    }

    /// The name of a step that may be there.
    pub(crate) fn optional_step(&mut self, name: &'static str) -> Result<Option<StepName>, Refused> {
        let step = self.optional_text(name, MAX_NAME)?;
        Ok(step.as_deref().map(StepName::new))
    }

    /// A text that may be there; null, unlike nothing, is a value.
    #[expect(clippy::option_option, reason = "JSON tells null from missing")]
    pub(crate) fn nullable_text(
        &mut self,
        name: &'static str,
        max: usize,
    ) -> Result<Option<Option<String>>, Refused> {
        if self.object.get(name).is_some_and(Value::is_null) {
            self.known.push(name);
            return Ok(Some(None));
        }
        Ok(self.optional_text(name, max)?.map(Some))
    }

    /// Texts that may be there, at most so many.
    pub(crate) fn optional_texts(
        &mut self,
        name: &'static str,
        most: usize,
        max: usize,
    ) -> Result<Option<Vec<String>>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) if items.len() > most => {
                let detail = format!("must have at most {most} items, has {}", items.len());
                self.refuse(name, "too_long", &detail)
            }
            Some(Value::Array(items)) => {
                items.iter().map(|item| self.visible(name, item, max)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => self.refuse(name, "wrong_type", "must be an array of strings"),
        }
    }

    /// A word that may be there, if `parse` knows it.
    pub(crate) fn optional_word<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let Some(word) = self.optional_text(name, MAX_NAME)? else { return Ok(None) };
        match parse(&word) {
            Some(parsed) => Ok(Some(parsed)),
            None => self.refuse(name, "unknown_word", &format!("must be {expected}")),
        }
    }

    /// An object that may be there.
    pub(crate) fn optional_object(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Map<String, Value>>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(value) if holds_nul(value) => {
                self.refuse(name, "invalid_character", "must not contain U+0000")
            }
            Some(Value::Object(object)) => Ok(Some(object.clone())),
            Some(_) => self.refuse(name, "wrong_type", "must be an object"),
        }
    }

    /// The number of an event that may be there.
    pub(crate) fn optional_seq(&mut self, name: &'static str) -> Result<Option<i32>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_i64().and_then(|seq| i32::try_from(seq).ok()) {
                Some(seq) => Ok(Some(seq)),
                None => self.refuse(name, "wrong_type", "must be the number of an event"),
            },
        }
    }

    /// Refuses a field that does not go with another.
    pub(crate) fn without<T>(
        &mut self,
        value: &Result<Option<T>, Refused>,
        name: &str,
        detail: &str,
    ) -> Result<(), Refused> {
        match value {
            Ok(Some(_)) => self.refuse(name, "not_together", detail),
            Ok(None) | Err(Refused) => Ok(()),
        }
    }

    /// Records what a stricter reader than these found wrong.
    pub(crate) fn fault<T>(&mut self, fault: Fault) -> Result<T, Refused> {
        self.faults.push(fault);
        Err(Refused)
    }

    /// A truth value that must be there.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Result<bool, Refused> {
        match self.get(name) {
            None => self.refuse(name, "required", "is required"),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => self.refuse(name, "wrong_type", "must be true or false"),
        }
    }

    /// Any JSON that may be there.
    pub(crate) fn optional_json(&mut self, name: &'static str) -> Result<Option<Box<RawValue>>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => self.json(name, value).map(Some),
        }
    }

    /// An object of outputs by step that may be there, empty if it is not.
    pub(crate) fn outputs(&mut self, name: &'static str) -> Result<EditedOutputs, Refused> {
        match self.get(name) {
            None => Ok(EditedOutputs::new()),
            Some(Value::Object(outputs)) => outputs
                .iter()
                .map(|(step, output)| Ok((StepName::new(step), self.json(name, output)?)))
                .collect(),
            Some(_) => self.refuse(name, "wrong_type", "must be an object from step to output"),
        }
    }

    fn json(&mut self, name: &str, value: &Value) -> Result<Box<RawValue>, Refused> {
        if holds_nul(value) {
            return self.refuse(name, "invalid_character", "must not contain U+0000");
        }
        to_raw_value(value).map_err(|_| Refused)
    }

    /// A text that says something, within `max` characters and without control characters.
    fn visible(&mut self, name: &str, value: &Value, max: usize) -> Result<String, Refused> {
        let Value::String(text) = value else {
            return self.refuse(name, "wrong_type", "must be a string");
        };
        let text = text.trim();
        let control = text.chars().find(|&c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        if let Some(control) = control {
            let detail = format!("must not contain the control character U+{:04X}", u32::from(control));
            return self.refuse(name, "invalid_character", &detail);
        }
        let length = text.chars().count();
        if length > max {
            let detail = format!("must have at most {max} characters, has {length}");
            return self.refuse(name, "too_long", &detail);
        }
        if text.is_empty() {
            return self.refuse(name, "blank", "must not be blank");
        }
        Ok(text.to_owned())
    }
}

/// Says what is wrong with the top-level field `name`; the empty name is the whole body.
fn fault(name: &str, code: &'static str, detail: &str) -> Fault {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    let pointer = if name.is_empty() { String::new() } else { format!("/{escaped}") };
    Fault { pointer, code, detail: detail.to_owned() }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(object) => object.iter().any(|(key, item)| key.contains('\0') || holds_nul(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fault_is_named_and_unknown_fields_too() {
        let value = json!({ "reason": " ", "approved": "yes", "b/c": 1 });
        let mut fields = Fields::of(&value).unwrap();
        assert_eq!(fields.text("reason", 9), Err(Refused));
        assert_eq!(fields.boolean("approved"), Err(Refused));
        assert_eq!(fields.text("decided_by", 9), Err(Refused));
        let faults: Vec<_> = fields.finish().into_iter().map(|f| (f.pointer, f.code)).collect();
        let expected = [
            ("/reason", "blank"),
            ("/approved", "wrong_type"),
            ("/decided_by", "required"),
            ("/b~1c", "unknown_field"),
        ];
        assert_eq!(faults, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn null_counts_as_missing() {
        let value = json!({ "note": null, "outputs": null });
        let mut fields = Fields::of(&value).unwrap();
        assert_eq!(fields.optional_text("note", 10), Ok(None));
        assert!(fields.outputs("outputs").unwrap().is_empty());
        assert!(fields.finish().is_empty());
    }

    #[test]
    fn nul_is_refused_wherever_it_hides() {
        let value = json!({ "outputs": { "draft": { "text": ["a\0"] } }, "reason": "a\u{1}b" });
        let mut fields = Fields::of(&value).unwrap();
        assert!(fields.outputs("outputs").is_err());
        assert!(fields.text("reason", 9).is_err());
        assert_eq!(fields.finish().len(), 2);
    }
}
