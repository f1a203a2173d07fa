//! What commands print: tables for people, JSON, CSV or ids for machines. Results go to standard output, everything
//! else to standard error.

use crate::exit::Exit;
use comfy_table::ColumnConstraint;
use serde_json::Value;
use std::io::{ErrorKind, Write};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One document.
    Json,
    /// One document a line.
    Jsonl,
    /// With a header line.
    Csv,
    /// Ids alone, one a line.
    Ids,
}

/// Characters of a table's cell; JSON has the rest.
const CELL_WIDTH: usize = 60;

/// A column: its title and where its value stands in a record.
pub(crate) type Column = (&'static str, &'static str);

/// Writes a line. A reader that went away (`| head`) ends the program quietly, as it does for others.
pub(crate) fn out(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// Writes a line for people who watch.
pub(crate) fn say(line: &str) {
    // Standard error may be closed; there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether a command that prints a report, or JSON, is to print JSON. Anything else that `-o` names is refused.
pub(crate) fn as_json(command: &str, flag: bool, format: Option<Format>) -> anyhow::Result<bool> {
    match format {
        Some(Format::Json) => Ok(true),
        None | Some(Format::Table) => Ok(flag),
        Some(Format::Jsonl | Format::Csv | Format::Ids) => {
            Err(Exit::Usage.with(format!("{command} prints a report, or JSON with -o json; use one of them")))
        }
    }
}

/// Prints records.
pub(crate) fn print(records: &[Value], format: Format, columns: &[Column], id: &str) -> anyhow::Result<()> {
    match format {
        Format::Table => out(&table(records, columns).to_string()),
        Format::Json => out(&serde_json::to_string_pretty(records)?),
        Format::Jsonl => records.iter().try_for_each(|record| out(&record.to_string())),
        Format::Ids => records.iter().try_for_each(|record| out(&text(&record[id]))),
        Format::Csv => csv(records, columns),
    }
}

/// Prints one record: field by field for people.
pub(crate) fn print_one(record: &Value, format: Format, id: &str) -> anyhow::Result<()> {
    match format {
        Format::Table => fields("", record).into_iter().try_for_each(|line| out(&line)),
        Format::Json => out(&serde_json::to_string_pretty(record)?),
        Format::Jsonl => out(&record.to_string()),
        Format::Ids => out(&text(&record[id])),
        Format::Csv => {
            let columns: Vec<&String> = record.as_object().into_iter().flat_map(|map| map.keys()).collect();
            let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
            writer.write_record(&columns)?;
            writer.write_record(columns.iter().map(|name| text(&record[name.as_str()])))?;
            Ok(writer.flush()?)
        }
    }
}

/// Prints one record: for people with these of its fields before the others.
pub(crate) fn print_led(record: &Value, format: Format, leading: &[&str]) -> anyhow::Result<()> {
    match format {
        Format::Table => led(record, leading).into_iter().try_for_each(|line| out(&line)),
        Format::Json | Format::Jsonl | Format::Csv | Format::Ids => {
            print_one(record, format, leading.first().copied().unwrap_or("id"))
        }
    }
}

fn led(record: &Value, leading: &[&str]) -> Vec<String> {
    let others =
        record.as_object().into_iter().flatten().filter(|(name, _)| !leading.contains(&name.as_str()));
    let first = leading.iter().flat_map(|name| fields(name, &record[*name]));
    first.chain(others.flat_map(|(name, value)| fields(name, value))).collect()
}

/// A record as lines of `name: value`, nested names joined by dots; what is null is left out.
fn fields(prefix: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                fields(&name, value)
            })
            .collect(),
        Value::Array(items) if items.iter().any(Value::is_object) => items
            .iter()
            .enumerate()
            .flat_map(|(position, item)| fields(&format!("{prefix}[{position}]"), item))
            .collect(),
        Value::String(long) if long.contains('\n') => {
            vec![format!("{prefix}:\n    {}", printable(long).trim_end().replace('\n', "\n    "))]
        }
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            vec![format!("{prefix}: {}", text(value))]
        }
    }
}

fn table(records: &[Value], columns: &[Column]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|(title, _)| *title));
    for record in records {
        table.add_row(columns.iter().map(|(_, path)| shortened(&text(at(record, path)))));
    }
    // Ids and states are there to be copied: only what people wrote may be broken.
    for column in table.column_iter_mut().rev().skip(1) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= CELL_WIDTH {
        return text.to_owned();
    }
    let short: String = text.chars().take(CELL_WIDTH - 1).collect();
    format!("{short}…")
}

fn csv(records: &[Value], columns: &[Column]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    writer.write_record(columns.iter().map(|(title, _)| *title))?;
    for record in records {
        writer.write_record(columns.iter().map(|(_, path)| text(at(record, path))))?;
    }
    Ok(writer.flush()?)
}

fn at<'a>(record: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(record, |value, key| &value[key])
}

/// `1 ticket`, `2 tickets`.
pub(crate) fn counted(number: impl TryInto<u64>, what: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// A value as text, without quotes; control characters of a terminal are taken out.
pub(crate) fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    printable(&text)
}

/// Text without what a terminal would obey: control characters, and marks that reorder what is read.
pub(crate) fn printable(text: &str) -> String {
    let obeyed = |character: char| {
        character.is_control() && character != '\n'
            || matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(|character| !obeyed(*character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_people_look_for_first_stands_first() {
        let record =
            json!({ "action": "reply", "body": "Hi", "id": "t1", "result": { "category": "billing" } });
        assert_eq!(
            led(&record, &["id", "status", "action"]),
            ["id: t1", "action: reply", "body: Hi", "result.category: billing"]
        );
    }
}
