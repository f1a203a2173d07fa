//! Owns days as customers write them. A day that could be read two ways is kept as text alone.

use super::{
    super::{OfflineError, text::fold},
    digits::NearDigits,
};
use chrono::NaiveDate;
use regex::{Captures, Regex};
use ticketflow_tickets::triage::DateMention;

/// Beginnings of month names after folding, in five languages; the longer ones of a pair stand first.
const MONTHS: [(&str, u32); 37] = [
    ("jan", 1),
    ("ene", 1),
    ("feb", 2),
    ("fev", 2),
    ("marz", 3),
    ("mar", 3),
    ("maerz", 3),
    ("apr", 4),
    ("avr", 4),
    ("abr", 4),
    ("mayo", 5),
    ("may", 5),
    ("mai", 5),
    ("junio", 6),
    ("juni", 6),
    ("june", 6),
    ("juin", 6),
    ("junho", 6),
    ("jun", 6),
    ("julio", 7),
    ("juli", 7),
    ("july", 7),
    ("juil", 7),
    ("julho", 7),
    ("jul", 7),
    ("aug", 8),
    ("ago", 8),
    ("aou", 8),
    ("sep", 9),
    ("set", 9),
    ("okt", 10),
    ("oct", 10),
    ("out", 10),
    ("nov", 11),
    ("dez", 12),
    ("dec", 12),
    ("dic", 12),
];

const NAMES: &str = r"(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|januar|jänner|februar|märz|mai|juni|juli|oktober|dezember|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro)\b\.?";

/// Finds days.
#[derive(Debug)]
pub(super) struct Dates {
    iso: Regex,
    numeric: Regex,
    yearless: Regex,
    day_first: Regex,
    month_first: Regex,
}

impl Dates {
    pub(super) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            iso: Regex::new(r"\b(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})\b")?,
            numeric: Regex::new(
                r"\b(?P<a>[0-9]{1,2})(?P<mark>[./])(?P<b>[0-9]{1,2})[./](?P<year>[0-9]{4}|[0-9]{2})\b",
            )?,
            yearless: Regex::new(
                r"\b(?P<day>0?[1-9]|[12][0-9]|3[01])\.(?P<month>0?[1-9]|1[0-2])\.(?:\s|,|$)",
            )?,
            day_first: Regex::new(&format!(
                r"(?i)\b(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th|er|\.|º)?\s(?:of\s|de\s)?(?P<name>{NAMES})(?:,?\s(?:de\s)?(?P<year>[0-9]{{4}})\b)?"
            ))?,
            month_first: Regex::new(&format!(
                r"(?i)\b(?P<name>{NAMES})\s(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s(?P<year>[0-9]{{4}})\b)?"
            ))?,
        })
    }

    /// Days in a text, in the order of their mention, each once.
    pub(super) fn find(&self, near: &NearDigits<'_>) -> Vec<DateMention> {
        let mut found = Vec::new();
        for (pattern, day) in [
            (&self.iso, iso as fn(&Captures<'_>) -> Option<NaiveDate>),
            (&self.numeric, numeric),
            (&self.yearless, |_| None),
            (&self.day_first, named),
            (&self.month_first, named),
        ] {
            for (start, part) in near.iter() {
                for captures in pattern.captures_iter(part) {
                    let whole = captures
                        .name("whole")
                        .or_else(|| captures.get(0))
                        .map(|whole| start + whole.start()..start + whole.end());
                    found.extend(whole.map(|range| (range, day(&captures))));
                }
            }
        }
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut kept: Vec<DateMention> = Vec::new();
        let mut reached = 0;
        for (range, date) in found {
            let mention = DateMention {
                text: near.text[range.clone()].trim_end_matches([',', '.', ' ', '\n']).to_owned(),
                date,
            };
            if range.start >= reached && !kept.contains(&mention) {
                reached = range.end;
                kept.push(mention);
            }
        }
        kept
    }
}

fn number(captures: &Captures<'_>, name: &str) -> Option<u32> {
    captures.name(name)?.as_str().parse().ok()
}

fn year(captures: &Captures<'_>) -> Option<i32> {
    let year: i32 = captures.name("year")?.as_str().parse().ok()?;
    Some(if year < 100 { 2000 + year } else { year })
}

fn iso(captures: &Captures<'_>) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year(captures)?, number(captures, "month")?, number(captures, "day")?)
}

/// `02.02.2026` has the day first; `12/03/2026` may have either first, and then is no day unless one of them is above 12.
fn numeric(captures: &Captures<'_>) -> Option<NaiveDate> {
    let (a, b) = (number(captures, "a")?, number(captures, "b")?);
    let day_first = captures.name("mark").is_some_and(|mark| mark.as_str() == ".") || a > 12;
    match (day_first, b > 12, a == b) {
        (true, _, _) | (_, _, true) => NaiveDate::from_ymd_opt(year(captures)?, b, a),
        (false, true, _) => NaiveDate::from_ymd_opt(year(captures)?, a, b),
        (false, false, false) => None,
    }
}

fn named(captures: &Captures<'_>) -> Option<NaiveDate> {
    let name = fold(captures.name("name")?.as_str());
    let (_, month) = MONTHS.iter().find(|(start, _)| name.starts_with(start))?;
    NaiveDate::from_ymd_opt(year(captures)?, *month, number(captures, "day")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Vec<(String, Option<String>)> {
        let mentions = Dates::load().unwrap().find(&NearDigits::of(text));
        mentions
            .into_iter()
            .map(|mention| (mention.text, mention.date.map(|date| date.to_string())))
            .collect()
    }

    #[test]
    fn days_are_read_however_they_are_written() {
        for (text, day) in [
            ("2026-03-12", "2026-03-12"),
            ("12 March 2026", "2026-03-12"),
            ("March 12th, 2026", "2026-03-12"),
            ("12. März 2026", "2026-03-12"),
            ("12 de marzo de 2026", "2026-03-12"),
            ("le 12 août 2026", "2026-08-12"),
            ("28 de fevereiro de 2026", "2026-02-28"),
            ("02.03.2026", "2026-03-02"),
            ("25/03/2026", "2026-03-25"),
            ("03/25/2026", "2026-03-25"),
        ] {
            assert_eq!(find(text)[0].1.as_deref(), Some(day), "{text}");
        }
    }

    #[test]
    fn what_leaves_doubt_is_kept_as_text() {
        assert_eq!(find("on 12/03/2026"), [("12/03/2026".to_owned(), None)]);
        assert_eq!(find("am 12. März"), [("12. März".to_owned(), None)]);
        assert_eq!(find("31.02.2026"), [("31.02.2026".to_owned(), None)]);
    }

    #[test]
    fn versions_and_words_are_no_days() {
        for text in ["v4.12.1", "may I ask", "10 maybe", "192.168.1.1"] {
            assert!(find(text).is_empty(), "{text}: {:?}", find(text));
        }
    }
}
