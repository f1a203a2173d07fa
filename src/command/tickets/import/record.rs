//! Lines of a file as tickets: which column is which field, and what is wrong with those that are none.

use crate::{exit::Exit, nearest::did_you_mean};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, path::Path};
use ticketflow_tickets::ticket::NewTicket;

/// A ticket's own fields; every other column becomes metadata.
const FIELDS: [&str; 5] = ["subject", "body", "customer_id", "channel", "metadata"];
/// Other names that files use.
const SYNONYMS: [(&str, &[&str]); 4] = [
    ("subject", &["title", "summary"]),
    ("body", &["message", "description", "text", "content"]),
    ("customer_id", &["customer", "user_id", "requester", "email", "from"]),
    ("channel", &["source", "via"]),
];
/// Characters of the body that stand in for a missing subject.
const SUBJECT_FROM_BODY: usize = 80;

/// One line of the file.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) parsed: Parsed,
}

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Parsed {
    Ticket(Value),
    Rejected { reason: String, raw: String },
}

/// Which column becomes which field.
pub(super) struct Mapping {
    columns: Vec<(String, String)>,
    customer_id: String,
}

/// Reads `FIELD=COLUMN`.
pub(super) fn parse_mapping(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, column)) if FIELDS.contains(&field) && !column.is_empty() => {
            Ok((field.to_owned(), column.to_owned()))
        }
        _ => Err(format!("use FIELD=COLUMN, where FIELD is one of {}", FIELDS.join(", "))),
    }
}

impl Mapping {
    pub(super) fn new(columns: &[(String, String)], customer_id: Option<String>, file: &Path) -> Self {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let customer_id = customer_id.unwrap_or_else(|| format!("import-{stem}").chars().take(100).collect());
        Self { columns: columns.to_vec(), customer_id }
    }

    /// The field a column becomes; `None`: metadata.
    fn field(&self, column: &str) -> Option<&str> {
        if let Some((field, _)) = self.columns.iter().find(|(_, mapped)| mapped == column) {
            return Some(field);
        }
        let taken = |field: &str| self.columns.iter().any(|(mapped, _)| mapped == field);
        let lower = column.to_lowercase();
        let field = FIELDS.into_iter().find(|field| *field == lower).or_else(|| {
            SYNONYMS.iter().find(|(_, others)| others.contains(&lower.as_str())).map(|(field, _)| *field)
        });
        field.filter(|field| !taken(field))
    }

    fn ticket(&self, record: Map<String, Value>) -> Value {
        let mut ticket = Map::new();
        let mut metadata = Map::new();
        for (column, value) in record {
            if value.is_null() || value == "" {
                continue;
            }
            match self.field(&column) {
                Some("metadata") if value.is_object() => {
                    metadata.extend(value.as_object().cloned().unwrap_or_default());
                }
                // The first column that means a field wins; a second one is kept as metadata.
                Some(field) if field != "metadata" && !ticket.contains_key(field) => {
                    ticket.insert(field.to_owned(), as_text(value));
                }
                Some(_) | None => {
                    metadata.insert(column, value);
                }
            }
        }
        if !ticket.contains_key("subject") {
            let body = ticket.get("body").and_then(Value::as_str).unwrap_or_default();
            let line = body.trim().lines().next().unwrap_or_default();
            let subject: String = line.chars().take(SUBJECT_FROM_BODY).collect();
            ticket.insert("subject".to_owned(), Value::String(subject));
        }
        ticket.entry("customer_id").or_insert_with(|| Value::String(self.customer_id.clone()));
        ticket.entry("channel").or_insert_with(|| Value::String("import".to_owned()));
        ticket.insert("metadata".to_owned(), Value::Object(metadata));
        Value::Object(ticket)
    }

    /// Refuses to map a column that the file does not have.
    pub(super) fn check(&self, found: &BTreeSet<&str>) -> anyhow::Result<()> {
        let unknown = self.columns.iter().find(|(_, column)| !found.contains(column.as_str()));
        let Some((field, column)) = unknown else { return Ok(()) };
        let meant = did_you_mean(column, found.iter().copied());
        let there: Vec<&str> = found.iter().copied().collect();
        Err(Exit::Usage.with(format!(
            "--map {field}={column}: the file has no column {column}{meant} (it has {})",
            there.join(", ")
        )))
    }

    pub(super) fn parse(&self, line: u64, record: Map<String, Value>) -> Record {
        let raw = Value::Object(record.clone()).to_string();
        let ticket = self.ticket(record);
        let parsed = match NewTicket::from_json(&ticket) {
            Ok(_) => Parsed::Ticket(ticket),
            Err(errors) => {
                let reasons: Vec<String> =
                    errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
                Parsed::Rejected { reason: reasons.join("; "), raw }
            }
        };
        Record { line, parsed }
    }
}

fn as_text(value: Value) -> Value {
    match value {
        Value::String(_) => value,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Value::String(value.to_string())
        }
    }
}
