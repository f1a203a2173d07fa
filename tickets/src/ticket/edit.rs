//! Owns [`TicketEdit`]: what an agent may change about a ticket. It is recorded in the log as an annotation, and the
//! projection folds it from there.

use super::{metadata::Metadata, topics};
use crate::taxonomy::{Category, Priority};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use ticketflow_engine::event::Note;

/// What an agent changes; what is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TicketEdit {
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// How soon somebody must look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// All that it names and asks for, with what is corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Map<String, Value>>,
    /// The draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
    /// The reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_response: Option<String>,
    /// Who works it; `Some(None)`: nobody any more.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Option<String>>,
    /// All its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// All its metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// A field that is there, be it null, differs from one that is not.
#[expect(clippy::option_option, reason = "JSON tells null from missing")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl TicketEdit {
    /// The annotation that records the edit. `about` is kept beside it in the log, for auditors and for training.
    ///
    /// # Errors
    /// Only if a number of the metadata cannot be JSON.
    pub fn note(&self, about: Value) -> Result<Note, serde_json::Error> {
        let mut data = serde_json::to_value(self)?;
        if let (Value::Object(data), false) = (&mut data, about.is_null()) {
            data.insert("about".into(), about);
        }
        Ok(Note { topic: topics::EDITED.to_owned(), data })
    }

    /// The annotation that a person solved the ticket.
    pub fn resolved(note: Option<&str>) -> Note {
        Note { topic: topics::RESOLVED.to_owned(), data: serde_json::json!({ "note": note }) }
    }

    /// The annotation that a ticket is not solved after all.
    pub fn reopened(note: Option<&str>) -> Note {
        Note { topic: topics::REOPENED.to_owned(), data: serde_json::json!({ "note": note }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn taking_an_assignee_away_is_not_leaving_him() {
        let edit = |json: Value| serde_json::from_value::<TicketEdit>(json).unwrap();
        assert_eq!(edit(json!({})).assignee, None);
        assert_eq!(edit(json!({ "assignee": null })).assignee, Some(None));
        let unassign = TicketEdit { assignee: Some(None), ..TicketEdit::default() };
        assert_eq!(
            unassign.note(json!({ "from": "Ada" })).unwrap().data,
            json!({ "assignee": null, "about": { "from": "Ada" } })
        );
    }
}
