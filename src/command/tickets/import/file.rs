//! Reads a CSV or JSONL file record by record. What is no record is rejected with the reason, never skipped.

use super::record::{Mapping, Parsed, Record};
use crate::exit::Exit;
use anyhow::Context as _;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fs, path::Path};

/// Reads a file, by its ending.
pub(super) fn read(path: &Path, mapping: &Mapping) -> anyhow::Result<Vec<Record>> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let read: fn(&[u8], &Mapping) -> anyhow::Result<Vec<Record>> = match ending.as_str() {
        "csv" => read_csv,
        "jsonl" | "ndjson" => read_jsonl,
        _ => return Err(Exit::Usage.with(format!("{} is neither .csv nor .jsonl", path.display()))),
    };
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    read(&bytes, mapping)
}

fn read_csv(bytes: &[u8], mapping: &Mapping) -> anyhow::Result<Vec<Record>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let headers = reader.headers().context("the file has no header line")?.clone();
    let mut last = (1, 0);
    let mut records = Vec::new();
    mapping.check(&headers.iter().collect())?;
    for (number, row) in (2u64..).zip(reader.records()) {
        records.push(match row {
            Ok(row) => {
                let place = row.position().map_or((number, 0), |at| (at.line(), at.byte()));
                last = place;
                let columns = headers.iter().zip(row.iter());
                let record =
                    columns.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect();
                mapping.parse(place.0, record)
            }
            Err(error) => rejected(number, &error.to_string(), String::new()),
        });
    }
    let (line, start) = last;
    let tail = &bytes[usize::try_from(start).unwrap_or(0).min(bytes.len())..];
    if ends_in_quotes(tail) {
        // The reader took everything up to the end of the file for one field.
        records.pop();
        records.push(unclosed(line, tail));
    }
    Ok(records)
}

fn unclosed(line: u64, tail: &[u8]) -> Record {
    let raw = String::from_utf8_lossy(tail).into_owned();
    let lines = raw.trim().lines().count();
    let reason = format!(
        "a quote is opened in the record on line {line} and never closed: it takes in every line up to the end of the \
         file ({lines} with its own)"
    );
    rejected(line, &reason, raw)
}

/// Whether a quoted field is still open at the end, where `text` begins at the start of a record.
fn ends_in_quotes(text: &[u8]) -> bool {
    let (mut quoted, mut at_start) = (false, true);
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            // A quote inside quotes is written twice.
            b'"' if quoted && bytes.peek() == Some(&&b'"') => drop(bytes.next()),
            b'"' if quoted => quoted = false,
            b'"' if at_start => quoted = true,
            _ => {}
        }
        at_start = !quoted && matches!(byte, b',' | b'\n' | b'\r');
    }
    quoted
}

fn read_jsonl(bytes: &[u8], mapping: &Mapping) -> anyhow::Result<Vec<Record>> {
    let lines = (1u64..).zip(bytes.split(|&byte| byte == b'\n'));
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let parsed: Vec<_> = lines
        .map(|(number, line)| (number, line, serde_json::from_slice::<Map<String, Value>>(line)))
        .collect();
    let keys: BTreeSet<&str> = parsed
        .iter()
        .filter_map(|(_, _, record)| record.as_ref().ok())
        .flat_map(|record| record.keys().map(String::as_str))
        .collect();
    if !keys.is_empty() {
        mapping.check(&keys)?;
    }
    let records = parsed.iter().map(|(number, line, record)| match record {
        Ok(record) => mapping.parse(*number, record.clone()),
        Err(error) => {
            let raw = String::from_utf8_lossy(line).into_owned();
            rejected(*number, &format!("not a JSON object: {error}"), raw)
        }
    });
    Ok(records.collect())
}

fn rejected(line: u64, reason: &str, raw: String) -> Record {
    Record { line, parsed: Parsed::Rejected { reason: reason.to_owned(), raw } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(columns: &[(&str, &str)]) -> Mapping {
        let columns: Vec<_> = columns.iter().map(|(f, c)| ((*f).to_owned(), (*c).to_owned())).collect();
        Mapping::new(&columns, None, Path::new("x.csv"))
    }

    #[test]
    fn an_unclosed_quote_is_a_rejected_record_that_says_so() {
        let file = b"subject,body\nOne,Fine\nTwo,\"open\nThree,lost\nFour,lost too\n";
        let records = read_csv(file, &mapping(&[])).unwrap();
        assert_eq!(records.len(), 2, "{records:?}");
        assert!(matches!(records[0].parsed, Parsed::Ticket(_)), "{records:?}");
        let Parsed::Rejected { reason, raw } = &records[1].parsed else { panic!("{records:?}") };
        assert!(
            records[1].line == 3 && reason.contains("never closed") && reason.contains("3 with"),
            "{reason}"
        );
        assert!(raw.contains("Two,") && raw.contains("Four,lost too"), "{raw}");
        let header = read_csv(b"subject,\"body\nOne,Fine\n", &mapping(&[])).unwrap();
        assert!(matches!(&header[0].parsed, Parsed::Rejected { reason, .. } if reason.contains("line 1")));
    }

    #[test]
    fn quotes_that_are_closed_or_stand_inside_a_field_are_fine() {
        for closed in ["a,b\n", "\"a \"\" b\",c\n", "\"a\nb\",c", "a 5\" disk,b\n", "", "\r\n\"x\"\r\n"] {
            assert!(!ends_in_quotes(closed.as_bytes()), "{closed:?}");
        }
        for open in ["\"a", "a,\"b\"\"\n", "\n\"x\ny"] {
            assert!(ends_in_quotes(open.as_bytes()), "{open:?}");
        }
    }

    #[test]
    fn a_mapped_column_that_is_not_there_is_named_with_those_that_are() {
        let mapping = mapping(&[("body", "mesage")]);
        for refused in [
            read_csv(b"title,message\nOne,Fine\n", &mapping),
            read_jsonl(b"{\"title\":\"One\",\"message\":\"Fine\"}\n", &mapping),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("no column mesage; did you mean message?"), "{error}");
            assert!(error.contains("it has message, title"), "{error}");
        }
    }
}
