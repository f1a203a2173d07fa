//! Reads labelled tickets from JSONL and CSV: which column is which field, and which labels mean which category.

use crate::{exit::Exit, nearest::did_you_mean};
use anyhow::Context as _;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What a record may hold, and the columns that it is usually found in.
const FIELDS: [(&str, &[&str]); 6] = [
    ("subject", &["subject", "title", "summary"]),
    ("body", &["body", "text", "message", "description", "content"]),
    ("category", &["category", "expected_category", "label"]),
    ("priority", &["expected_priority", "priority"]),
    ("language", &["language", "lang"]),
    ("source", &["source"]),
];

/// A labelled ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labelled {
    /// Where it comes from; the file's name when it does not say.
    pub(crate) source: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) category: String,
    pub(crate) priority: Option<String>,
}

/// How records are read.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Reading {
    /// Which column is a field: subject, body, category, priority, language or source; may be repeated
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = parse_field)]
    map: Vec<(String, String)>,
    /// Which category a label of the file stands for; may be repeated
    #[arg(long = "label", value_name = "LABEL=CATEGORY", value_parser = parse_rename)]
    labels: Vec<(String, String)>,
    /// Leave out records whose label is no category instead of refusing the file
    #[arg(long)]
    skip_other_labels: bool,
    /// Only records in this language, as the file says; may be repeated
    #[arg(long = "language", value_name = "CODE")]
    languages: Vec<String>,
}

/// Labelled tickets, and what was left out.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    pub(crate) tickets: Vec<Labelled>,
    /// Records of other languages or with other labels.
    pub(crate) left_out: usize,
}

/// Reads `FIELD=COLUMN`.
pub(crate) fn parse_field(text: &str) -> Result<(String, String), String> {
    let (field, column) = parse_rename(text)?;
    if FIELDS.iter().any(|(known, _)| *known == field) {
        return Ok((field, column));
    }
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    Err(format!("{field} is no field; use one of {}", names.join(", ")))
}

/// Reads `FROM=TO`.
pub(crate) fn parse_rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err("use two names with = between them".to_owned()),
    }
}

/// Reads a file, by its ending. `categories` are those that a label may name.
pub(crate) fn read(path: &Path, reading: &Reading, categories: &[&str]) -> anyhow::Result<Labels> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = "name a .jsonl or .csv file of labelled tickets (docs/quality.md)";
        Exit::Usage.with(format!("cannot read {}: {error}; {hint}", path.display()))
    })?;
    let records = match ending.as_str() {
        "csv" => from_csv(&text),
        "jsonl" | "ndjson" => from_jsonl(&text),
        _ => return Err(Exit::Usage.with(format!("{} is neither .csv nor .jsonl", path.display()))),
    };
    let records = records.with_context(|| format!("cannot read {}", path.display()))?;
    let source = path.file_stem().unwrap_or_default().to_string_lossy();
    let labels = reading.labels(&records, &source, categories)?;
    if labels.tickets.is_empty() {
        return Err(Exit::Usage.with(format!("{} holds no labelled ticket", path.display())));
    }
    Ok(labels)
}

type Record = Map<String, Value>;

fn from_csv(text: &str) -> anyhow::Result<Vec<Record>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| Ok(row?.into_iter().map(cell).collect()))
        .collect()
}

fn cell((column, value): (String, String)) -> (String, Value) {
    (column, Value::String(value))
}

fn from_jsonl(text: &str) -> anyhow::Result<Vec<Record>> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("line {number} is not a JSON object"))
        })
        .collect()
}

impl Reading {
    fn labels(&self, records: &[Record], source: &str, categories: &[&str]) -> anyhow::Result<Labels> {
        self.check(records)?;
        let mut labels = Labels::default();
        let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
        for (number, record) in (1..).zip(records) {
            let language = self.field(record, "language").unwrap_or_default();
            if !self.languages.is_empty() && !self.languages.contains(&language) {
                labels.left_out += 1;
                continue;
            }
            let label = self.field(record, "category").with_context(|| {
                format!("record {number} has no label: no column category, expected_category or label; --map names it")
            })?;
            let renamed = self.labels.iter().find(|(from, _)| *from == label);
            let category = renamed.map_or(label, |(_, to)| to.clone());
            if categories.contains(&category.as_str()) {
                labels.tickets.push(self.ticket(record, source, category));
            } else {
                *unknown.entry(category).or_default() += 1;
            }
        }
        if !unknown.is_empty() && !self.skip_other_labels {
            return Err(refused(&unknown, categories));
        }
        labels.left_out += unknown.values().sum::<usize>();
        Ok(labels)
    }

    fn ticket(&self, record: &Record, source: &str, category: String) -> Labelled {
        let field = |name| self.field(record, name);
        Labelled {
            source: field("source").unwrap_or_else(|| source.to_owned()),
            subject: field("subject").unwrap_or_default(),
            body: field("body").unwrap_or_default(),
            priority: field("priority"),
            category,
        }
    }

    /// The text of a field; none where it is missing, null or empty.
    fn field(&self, record: &Record, name: &str) -> Option<String> {
        let text =
            |column: &str| Some(record.get(column)?.as_str()?.to_owned()).filter(|text| !text.is_empty());
        if let Some((_, column)) = self.map.iter().find(|(field, _)| field == name) {
            return text(column);
        }
        let usual = FIELDS.iter().find(|(field, _)| *field == name).map_or(&[][..], |(_, usual)| usual);
        usual.iter().find_map(|column| text(column))
    }

    /// Refuses to map a column that no record has.
    fn check(&self, records: &[Record]) -> anyhow::Result<()> {
        let there: BTreeSet<&str> = records.iter().flat_map(Map::keys).map(String::as_str).collect();
        match self.map.iter().find(|(_, column)| !there.contains(column.as_str())) {
            Some((field, column)) => {
                let meant = did_you_mean(column, there.iter().copied());
                let there: Vec<&str> = there.into_iter().collect();
                Err(Exit::Usage.with(format!(
                    "--map {field}={column}: the file has no column {column}{meant} (it has {})",
                    there.join(", ")
                )))
            }
            None => Ok(()),
        }
    }
}

fn refused(unknown: &BTreeMap<String, usize>, categories: &[&str]) -> anyhow::Error {
    let named: Vec<String> = unknown.iter().map(|(label, count)| format!("{label} ({count})")).collect();
    Exit::Usage.with(format!(
        "labels that are no category: {}; the taxonomy has {}. Say what they stand for with --label LABEL=CATEGORY, or \
         leave them out with --skip-other-labels",
        named.join(", "),
        categories.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATEGORIES: [&str; 2] = ["billing", "general"];

    fn labels(reading: &Reading, jsonl: &str) -> anyhow::Result<Labels> {
        reading.labels(&from_jsonl(jsonl).unwrap(), "file", &CATEGORIES)
    }

    #[test]
    fn usual_columns_are_found_and_others_are_mapped() {
        let found = labels(&Reading::default(), r#"{"text":"a","label":"billing","priority":null}"#).unwrap();
        let (body, category) = ("a".to_owned(), "billing".to_owned());
        let expected =
            Labelled { source: "file".to_owned(), subject: String::new(), body, category, priority: None };
        assert_eq!(found.tickets, [expected]);
        let map = vec![("category".to_owned(), "queue".to_owned())];
        let rows = from_csv("subject,queue,lang\nA,billing,en\nB,\"general\",de\n").unwrap();
        let reading = Reading { map, languages: vec!["de".to_owned()], ..Reading::default() };
        let found = reading.labels(&rows, "file", &CATEGORIES).unwrap();
        assert_eq!((found.tickets.len(), found.left_out), (1, 1));
        assert_eq!((found.tickets[0].subject.as_str(), found.tickets[0].category.as_str()), ("B", "general"));
    }

    #[test]
    fn a_label_that_is_no_category_is_refused_renamed_or_left_out() {
        let jsonl = "{\"body\":\"a\",\"category\":\"money\"}\n{\"body\":\"b\",\"category\":\"general\"}";
        let error = labels(&Reading::default(), jsonl).unwrap_err().to_string();
        assert!(error.contains("money (1)") && error.contains("--label"), "{error}");
        let renaming =
            Reading { labels: vec![("money".to_owned(), "billing".to_owned())], ..Reading::default() };
        assert_eq!(labels(&renaming, jsonl).unwrap().tickets[0].category, "billing");
        let skipping = Reading { skip_other_labels: true, ..Reading::default() };
        let found = labels(&skipping, jsonl).unwrap();
        assert_eq!((found.tickets.len(), found.left_out), (1, 1));
    }

    #[test]
    fn a_column_that_is_not_there_and_a_record_without_a_label_are_named() {
        let reading =
            Reading { map: vec![("category".to_owned(), "labell".to_owned())], ..Reading::default() };
        let error = labels(&reading, r#"{"body":"a","label":"x"}"#).unwrap_err().to_string();
        assert!(error.contains("labell; did you mean label?"), "{error}");
        let error = labels(&Reading::default(), r#"{"body":"a"}"#).unwrap_err().to_string();
        assert!(error.contains("record 1 has no label"), "{error}");
        assert!(parse_field("sender=from").is_err() && parse_rename("a=").is_err());
    }
}
