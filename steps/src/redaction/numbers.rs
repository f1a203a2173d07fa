//! Owns numbers that carry their own proof: cards by the Luhn check, bank accounts by their remainder.

use crate::provider::offline::{OfflineError, passes_luhn};
use regex::Regex;
use std::ops::Range;

/// Fewest and most digits of a card, after ISO/IEC 7812.
const CARD: std::ops::RangeInclusive<usize> = 13..=19;
/// Fewest and most letters and digits of an IBAN, after ISO 13616.
const IBAN: std::ops::RangeInclusive<usize> = 15..=34;

/// Most bytes that a digit takes together with the blank before it.
const WIDEST: usize = 4;

/// Finds card numbers and IBANs.
#[derive(Debug)]
pub(super) struct Numbers {
    digits: Regex,
    account: Regex,
}

impl Numbers {
    pub(super) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            digits: Regex::new(r"[0-9](?:[ .\u{a0}\u{202f}-]?[0-9]){12,}")?,
            account: Regex::new(r"(?i)\b[A-Z]{2}[0-9]{2}(?:[ \u{a0}\u{202f}-]?[A-Z0-9]){11,}")?,
        })
    }

    /// Where card numbers stand. They may stand among other digits: `12 4111 1111 1111 1111`.
    pub(super) fn cards(&self, text: &str) -> Vec<Range<usize>> {
        let runs = self.digits.find_iter(text);
        runs.flat_map(|run| within(run.as_str(), run.start(), CARD, is_card)).collect()
    }

    /// Where IBANs stand. Words may follow them: `DE89 3704 0044 0532 0130 00 BIC`.
    pub(super) fn ibans(&self, text: &str) -> Vec<Range<usize>> {
        let runs = self.account.find_iter(text);
        runs.flat_map(|run| within(run.as_str(), run.start(), IBAN, is_iban)).collect()
    }
}

/// The longest stretches of `run` that hold, from the left; each begins and ends where a group of it does.
fn within(
    run: &str,
    offset: usize,
    length: std::ops::RangeInclusive<usize>,
    holds: fn(&str) -> bool,
) -> Vec<Range<usize>> {
    let groups = groups(run);
    let mut found: Vec<Range<usize>> = Vec::new();
    for (first, start) in groups.iter().enumerate() {
        if found.last().is_some_and(|last| offset + start.start < last.end) {
            continue;
        }
        let fits = |end: &&Range<usize>| {
            let characters = run[start.start..end.end].chars().filter(|c| c.is_alphanumeric()).count();
            length.contains(&characters) && holds(&run[start.start..end.end])
        };
        // A run can be as long as a text: no longer stretch than could fit is looked at.
        let near = groups[first..].partition_point(|group| group.end - start.start <= length.end() * WIDEST);
        if let Some(end) = groups[first..first + near].iter().rev().find(fits) {
            found.push(offset + start.start..offset + end.end);
        }
    }
    found
}

/// The unbroken pieces of a run.
fn groups(run: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, c) in run.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric()) {
        match groups.last_mut() {
            Some(last) if last.end == at => last.end = at + c.len_utf8(),
            Some(_) | None => groups.push(at..at + c.len_utf8()),
        }
    }
    groups
}

/// Cards of every issuer begin with 2 to 6.
fn is_card(number: &str) -> bool {
    number.starts_with(['2', '3', '4', '5', '6']) && passes_luhn(number)
}

/// The check of ISO 13616: the first four characters put last, letters read as 10 to 35, the remainder by 97 is one.
fn is_iban(number: &str) -> bool {
    let plain: Vec<u32> = number.chars().filter_map(|c| c.to_digit(36)).collect();
    let (Some(head), Some(rest)) = (plain.get(..4), plain.get(4..)) else { return false };
    let starts = head[0] > 9 && head[1] > 9 && head[2] < 10 && head[3] < 10;
    let shift = |remainder: u32, digit: &u32| (remainder * if *digit > 9 { 100 } else { 10 } + digit) % 97;
    starts && rest.iter().chain(head).fold(0, shift) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, find: fn(&Numbers, &str) -> Vec<Range<usize>>) -> Vec<String> {
        let numbers = Numbers::load().unwrap();
        find(&numbers, text).into_iter().map(|place| text[place].to_owned()).collect()
    }

    #[test]
    fn cards_are_found_among_other_digits_and_however_they_are_grouped() {
        for (text, card) in [
            ("Card 4111 1111 1111 1111, exp 09/28", "4111 1111 1111 1111"),
            ("12 4111111111111111 33", "4111111111111111"),
            ("x5500-0000-0000-0004y", "5500-0000-0000-0004"),
            ("3400.000000.00009", "3400.000000.00009"),
            ("n°6011\u{a0}0000\u{a0}0000\u{a0}0004", "6011\u{a0}0000\u{a0}0000\u{a0}0004"),
        ] {
            assert_eq!(found(text, Numbers::cards), [card], "{text}");
        }
        let two = "4111 1111 1111 1111 5500 0000 0000 0004";
        assert_eq!(found(two, Numbers::cards), ["4111 1111 1111 1111", "5500 0000 0000 0004"]);
        for text in ["4111 1111 1111 1112", "order 4821300000123", "0000000000000000", "2026-02-07 21:58:12"]
        {
            assert!(found(text, Numbers::cards).is_empty(), "{text}");
        }
    }

    #[test]
    fn accounts_carry_their_remainder() {
        for (text, iban) in [
            ("IBAN: DE89 3704 0044 0532 0130 00 BIC COBADEFFXXX", "DE89 3704 0044 0532 0130 00"),
            ("gb29nwbk60161331926819.", "gb29nwbk60161331926819"),
            ("FR14 2004 1010 0505 0001 3M02 606", "FR14 2004 1010 0505 0001 3M02 606"),
            ("no es ES91-2100-0418-4502-0005-1332", "ES91-2100-0418-4502-0005-1332"),
        ] {
            assert_eq!(found(text, Numbers::ibans), [iban], "{text}");
        }
        for text in ["DE88 3704 0044 0532 0130 00", "AB12 is no account number at all", "INV2026"] {
            assert!(found(text, Numbers::ibans).is_empty(), "{text}");
        }
    }
}
