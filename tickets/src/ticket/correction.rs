//! What people corrected about tickets: for statistics, and to learn from.
//!
//! An edit's event keeps what was predicted, what stood there and what stands there now; the column `corrected` has the
//! latest of each field.

use super::edit::TicketEdit;
use crate::{
    language::Language,
    taxonomy::{Category, Priority},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use ticketflow_engine::{RunId, StoreError};

/// A field that a person corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected<T> {
    /// What the program had made of it.
    pub predicted: Option<T>,
    /// What stood there until the correction.
    pub old: Option<T>,
    /// What the person put there.
    pub new: T,
}

/// A ticket with what people corrected about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// Which ticket.
    pub ticket: RunId,
    /// Its subject line.
    pub subject: String,
    /// The customer's message.
    pub body: String,
    /// Language the customer wrote in; none if that was never found out.
    pub language: Option<Language>,
    /// What it is about, if that was corrected.
    pub category: Option<Corrected<Category>>,
    /// How soon somebody must look at it, if that was corrected.
    pub priority: Option<Corrected<Priority>>,
    /// What it names and asks for, as far as that was corrected: the fields alone that were.
    pub entities: Option<Corrected<Map<String, Value>>>,
}

/// As `corrected` is stored.
#[derive(Debug, Deserialize)]
struct Stored {
    category: Option<Corrected<Category>>,
    priority: Option<Corrected<Priority>>,
    entities: Option<Corrected<Map<String, Value>>>,
}

/// Corrected tickets past `after`, in the order of their keys; at most `limit`. The last one's id leads to the next.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn corrections(
    connection: &mut PgConnection,
    after: Option<RunId>,
    limit: u16,
) -> Result<Vec<Correction>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: RunId", subject, body, language, corrected AS "corrected!" FROM tickets
           WHERE corrected IS NOT NULL AND (bucket, id) > ($1, $2)
           ORDER BY bucket, id LIMIT $3"#,
        after.map_or(-1, |id| id.bucket().as_i16()),
        after.map_or(uuid::Uuid::nil(), RunId::as_uuid),
        i64::from(limit),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read corrections"))?;
    let read = |id: RunId, corrected: Value| {
        serde_json::from_value::<Stored>(corrected).map_err(|error| StoreError::Corrupt {
            table: "tickets",
            column: "corrected",
            row: id.to_string(),
            problem: error.to_string(),
        })
    };
    rows.into_iter()
        .map(|row| {
            let Stored { category, priority, entities } = read(row.id, row.corrected)?;
            let language = row.language.as_deref().and_then(|code| Language::parse(code).ok());
            let (ticket, subject, body) = (row.id, row.subject, row.body);
            Ok(Correction { ticket, subject, body, language, category, priority, entities })
        })
        .collect()
}

/// What an edit corrects, by field, for the event: see [`Corrected`]. `predicted` and `old` are results as the API shows
/// them, the one without people's edits; `entities` are the fields of them that the edit names.
pub(super) fn corrected(
    edit: &TicketEdit,
    entities: Option<&Map<String, Value>>,
    predicted: &Value,
    old: &Value,
) -> Map<String, Value> {
    let mut corrected = Map::new();
    let mut add = |field: &str, new: Value| {
        let change = json!({ "predicted": predicted[field], "old": old[field], "new": new });
        corrected.insert(field.to_owned(), change);
    };
    if let Some(category) = &edit.category {
        add("category", json!(category));
    }
    if let Some(priority) = edit.priority {
        add("priority", json!(priority));
    }
    if let Some(new) = entities {
        let named = |result: &Value| -> Map<String, Value> {
            new.keys().map(|key| (key.clone(), result["entities"][key].clone())).collect()
        };
        let change = json!({ "predicted": named(predicted), "old": named(old), "new": new });
        corrected.insert("entities".to_owned(), change);
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_keeps_what_was_predicted_and_what_stood_there() {
        let edit = TicketEdit { category: Category::parse("order").ok(), ..TicketEdit::default() };
        let entities = Map::from_iter([("order_id".to_owned(), json!("ORD-2"))]);
        let predicted = json!({ "category": "billing", "entities": { "order_id": null, "product": "Pro" } });
        let old = json!({ "category": "account", "entities": { "order_id": "ORD-1", "product": "Pro" } });
        let corrected = corrected(&edit, Some(&entities), &predicted, &old);
        let stored: Stored = serde_json::from_value(Value::Object(corrected)).unwrap();
        let category = |name: &str| Category::parse(name).unwrap();
        let expected = Corrected {
            predicted: Some(category("billing")),
            old: Some(category("account")),
            new: category("order"),
        };
        assert_eq!((stored.category, stored.priority), (Some(expected), None));
        let entities = stored.entities.unwrap();
        assert_eq!(Value::Object(entities.old.unwrap()), json!({ "order_id": "ORD-1" }));
        assert_eq!(Value::Object(entities.new), json!({ "order_id": "ORD-2" }));
    }
}
