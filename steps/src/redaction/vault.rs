//! Owns one request's placeholders and what they stand for.

use super::{
    finder::{Finder, Place, joined},
    kind::Kind,
};
use regex::Captures;
use serde_json::Value;
use std::collections::HashMap;

/// How often a text is searched for what the last search left: what one placeholder separates can be found anew.
const SEARCHES: usize = 4;

/// The placeholders of one request.
#[derive(Debug)]
pub struct Redaction<'a> {
    finder: &'a Finder,
    placeholders: HashMap<(Kind, String), String>,
    values: HashMap<String, String>,
    counts: HashMap<Kind, usize>,
}

/// A text that must not leave, because it cannot be redacted. It names no word of the text.
#[derive(Debug, thiserror::Error)]
pub enum RedactionError {
    /// Something that must not leave is still there.
    #[error("a text still holds {} after redaction", .0.as_str())]
    Left(Kind),
    /// What was put back is not what was taken out.
    #[error("a redacted text could not be restored")]
    Inexact,
}

impl<'a> Redaction<'a> {
    pub(super) fn new(finder: &'a Finder) -> Self {
        Self { finder, placeholders: HashMap::new(), values: HashMap::new(), counts: HashMap::new() }
    }

    /// Takes note of what must not leave in a text: it is known then wherever it stands, also where nothing around it tells
    /// what it is.
    pub fn learn(&mut self, text: &str) {
        for (range, kind) in self.finder.places(text) {
            self.placeholder(kind, &text[range]);
        }
    }

    /// The text with placeholders for everything that must not leave.
    ///
    /// # Errors
    /// If anything is left or could not be put back. The request must not be made then.
    pub fn redact(&mut self, text: &str) -> Result<String, RedactionError> {
        let mut places = self.finder.places(text);
        places.extend(self.known_in(text));
        let places = joined(places);
        let mut redacted = self.replaced(text, &places);
        for _ in 1..SEARCHES {
            let left = self.finder.proven(&redacted);
            if left.is_empty() {
                break;
            }
            redacted = self.replaced(&redacted, &left);
        }
        if let Some((_, kind)) = self.finder.proven(&redacted).first() {
            return Err(RedactionError::Left(*kind));
        }
        if self.restore(&redacted) == text { Ok(redacted) } else { Err(RedactionError::Inexact) }
    }

    /// The text with every placeholder of this request replaced by what it stands for. Others stay as they are.
    pub fn restore(&self, text: &str) -> String {
        if !text.contains('[') {
            return text.to_owned();
        }
        let value =
            |found: &Captures<'_>| self.values.get(&found[0]).cloned().unwrap_or_else(|| found[0].to_owned());
        self.finder.placeholder.replace_all(text, value).into_owned()
    }

    /// The same in every string of an answer. A value may hold quotation marks: put back before the answer is parsed, it
    /// would break it.
    pub fn restore_all(&self, answer: &mut Value) {
        match answer {
            Value::String(text) => *text = self.restore(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.restore_all(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.restore_all(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Where values stand that have a placeholder already, as words of their own.
    fn known_in(&self, text: &str) -> Vec<Place> {
        let within = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
        let mut places = Vec::new();
        for (kind, value) in self.placeholders.keys() {
            let found = text.match_indices(value.as_str()).map(|(at, found)| at..at + found.len());
            let alone = found.filter(|range| {
                !within(text[..range.start].chars().next_back()) && !within(text[range.end..].chars().next())
            });
            places.extend(alone.map(|range| (range, *kind)));
        }
        places
    }

    fn replaced(&mut self, text: &str, places: &[Place]) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut reached = 0;
        for (range, kind) in places {
            redacted.push_str(&text[reached..range.start]);
            redacted.push_str(&self.placeholder(*kind, &text[range.clone()]));
            reached = range.end;
        }
        redacted.push_str(&text[reached..]);
        redacted
    }

    fn placeholder(&mut self, kind: Kind, value: &str) -> String {
        let key = (kind, value.to_owned());
        if let Some(known) = self.placeholders.get(&key) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let placeholder = kind.placeholder(*count);
        self.values.insert(placeholder.clone(), value.to_owned());
        self.placeholders.insert(key, placeholder.clone());
        placeholder
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_has_one_placeholder_within_a_request_and_none_in_the_next() {
        let finder = Finder::load().unwrap();
        let mut first = Redaction::new(&finder);
        assert_eq!(first.redact("ada@example.org and bob@example.org").unwrap(), "[EMAIL_1] and [EMAIL_2]");
        assert_eq!(first.redact("again bob@example.org").unwrap(), "again [EMAIL_2]");
        assert_eq!(first.restore("to [EMAIL_2], not [EMAIL_7]"), "to bob@example.org, not [EMAIL_7]");
        let second = Redaction::new(&finder);
        assert_eq!(second.restore("[EMAIL_1]"), "[EMAIL_1]");
    }

    #[test]
    fn what_was_told_for_what_it_is_once_stays_hidden_everywhere() {
        let finder = Finder::load().unwrap();
        let mut request = Redaction::new(&finder);
        let (ticket, found) =
            ("My password is hunter2!, call me: 030 1234567", r#"["030 1234567", "hunter2!", "hunter20"]"#);
        request.learn(ticket);
        let redacted = request.redact(found).unwrap();
        assert_eq!(redacted, r#"["[PHONE_1]", "[SECRET_1]", "hunter20"]"#);
        assert_eq!(request.restore(&redacted), found);
    }

    #[test]
    fn what_looks_like_a_placeholder_comes_back_as_it_was() {
        let finder = Finder::load().unwrap();
        let mut request = Redaction::new(&finder);
        let text = "I wrote [EMAIL_1] and [TEXT_1], not ada@example.org";
        let redacted = request.redact(text).unwrap();
        assert_eq!(redacted, "I wrote [TEXT_1] and [TEXT_2], not [EMAIL_1]");
        assert_eq!(request.restore(&redacted), text);
    }

    #[test]
    fn order_numbers_and_amounts_stay() {
        let finder = Finder::load().unwrap();
        let text = "Order ORD-48213 (also #4821300000), invoice INV-2026-0042, 1.234,56 EUR on 2026-02-07, HTTP 503, v4.12.1";
        assert_eq!(Redaction::new(&finder).redact(text).unwrap(), text);
    }

    #[test]
    fn answers_are_restored_in_every_string() {
        let finder = Finder::load().unwrap();
        let mut request = Redaction::new(&finder);
        request.redact("password: \"a b\" ada@example.org").unwrap();
        let mut answer = json!({ "asks": ["write to [EMAIL_1]"], "n": 1, "say": { "it": "[SECRET_1]" } });
        request.restore_all(&mut answer);
        assert_eq!(
            answer,
            json!({ "asks": ["write to ada@example.org"], "n": 1, "say": { "it": "\"a b\"" } })
        );
    }
}
