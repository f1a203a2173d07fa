//! Owns what an action is proposed by and done with: the ticket, its category, and what it names.

use super::declare::Declaration;
use serde_json::{Map, Value, json};
use ticketflow_tickets::{
    ticket::NewTicket,
    triage::{Classification, Extraction, IssueType},
};

/// What is known about a ticket.
#[derive(Debug)]
pub struct Evidence<'a> {
    classification: &'a Classification,
    extraction: &'a Extraction,
    values: Value,
}

impl<'a> Evidence<'a> {
    /// Puts it together. What the extraction names may be a parameter, and so may `customer_id`, `category`, `language`
    /// and `subject`.
    pub fn new(ticket: &NewTicket, classification: &'a Classification, extraction: &'a Extraction) -> Self {
        let mut values = named(extraction);
        values.insert("customer_id".to_owned(), json!(ticket.customer_id));
        values.insert("subject".to_owned(), json!(ticket.subject));
        values.insert("category".to_owned(), json!(classification.category));
        values.insert("language".to_owned(), json!(classification.language));
        Self { classification, extraction, values: Value::Object(values) }
    }

    /// Whether the action is for such tickets.
    pub(super) fn calls_for(&self, action: &Declaration) -> bool {
        let of_issue = action.issues.is_empty() || action.issues.contains(&self.extraction.issue_type);
        let of_category =
            action.categories.is_empty() || action.categories.contains(&self.classification.category);
        of_issue && of_category
    }

    /// The action's parameters as far as they are known, or the name of a required one that is not.
    pub(super) fn parameters(&self, action: &Declaration) -> Result<Map<String, Value>, String> {
        let mut parameters = Map::new();
        for (name, pointer) in &action.parameters {
            match self.values.pointer(pointer).filter(|value| is_something(value)) {
                Some(value) => drop(parameters.insert(name.clone(), value.clone())),
                None if action.required.contains(name) => return Err(name.clone()),
                None => {}
            }
        }
        Ok(parameters)
    }
}

fn named(extraction: &Extraction) -> Map<String, Value> {
    match serde_json::to_value(extraction) {
        Ok(Value::Object(named)) => named,
        // An extraction is a struct of plain values.
        Ok(_) | Err(_) => Map::new(),
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

/// Checks that a pointer leads to something that evidence has.
pub(super) fn check_pointer(pointer: &str) -> Result<(), String> {
    let Some(path) = pointer.strip_prefix('/') else {
        return Err(format!("{pointer:?} is no JSON pointer: it begins with a slash, as in /order_id"));
    };
    let first = path.split('/').next().unwrap_or_default();
    let named = named(&Extraction::empty(IssueType::Question));
    let others = ["customer_id", "subject", "category", "language"];
    if named.contains_key(first) || others.contains(&first) {
        return Ok(());
    }
    let known: Vec<&str> = named.keys().map(String::as_str).chain(others).collect();
    Err(format!("nothing is called {first:?}; there are {}", known.join(", ")))
}
