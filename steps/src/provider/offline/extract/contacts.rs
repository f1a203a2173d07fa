//! Owns addresses, telephone numbers, links and card numbers: what may identify a person or lead somewhere.

use super::{super::OfflineError, digits::NearDigits};
use regex::Regex;
use std::ops::Range;

/// Fewest digits of a number that is written internationally with `00`: order numbers begin with noughts as well.
const INTERNATIONAL: usize = 11;

/// Finds addresses, telephone numbers, links and card numbers.
#[derive(Debug)]
pub(crate) struct Contacts {
    email: Regex,
    digits: Regex,
    phone_cue: Regex,
    url: Regex,
    card: Regex,
}

impl Contacts {
    pub(crate) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            email: Regex::new(
                r"[\p{L}\p{N}](?:[\p{L}\p{N}._%+'-]*[\p{L}\p{N}_+-])?@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+\p{L}(?:[\p{L}\p{N}-]*[\p{L}\p{N}])",
            )?,
            digits: Regex::new(r"(?:\+|\(\+?)?[0-9](?:[0-9]|[ ().\u{a0}/-]{1,2}[0-9]){6,16}")?,
            phone_cue: Regex::new(
                r"(?i)(?:phone|mobile|reach me|my number|mi número|mon numéro|meu número|meine nummer|telefon|handy|erreichbar|móvil|movil|celular|whatsapp|telemóvel|teléfono|téléphone|joindre|điện thoại|rappel|anrufen|rufnummer|\b(?:tel|call|sms|fax|llam|gọi|rufen sie|ligu?e))[^\n0-9]{0,24}$",
            )?,
            url: Regex::new(r#"(?i)\b(?:https?://|www\.)[^\s<>"'`)\]}]+"#)?,
            card: Regex::new(r"\b[0-9](?:[ -]?[0-9]){12,18}\b")?,
        })
    }

    /// E-mail addresses in `text`.
    pub(crate) fn emails(&self, text: &str) -> Vec<String> {
        once(self.email_places(text).map(|place| &text[place]))
    }

    /// Where e-mail addresses stand in `text`.
    pub(crate) fn email_places(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let may_hold_one = text.contains('@').then_some(text);
        may_hold_one.into_iter().flat_map(|text| self.email.find_iter(text)).map(|found| found.range())
    }

    /// Links in `text`, without the mark that ends the sentence around them.
    pub(crate) fn urls(&self, text: &str) -> Vec<String> {
        let may_hold_one =
            text.contains("://") || text.as_bytes().windows(4).any(|w| w.eq_ignore_ascii_case(b"www."));
        if !may_hold_one {
            return Vec::new();
        }
        once(
            self.url
                .find_iter(text)
                .map(|found| found.as_str().trim_end_matches(['.', ',', ';', ':', '!', '?'])),
        )
    }

    /// Telephone numbers in `text`.
    pub(crate) fn phones(&self, text: &str) -> Vec<String> {
        once(self.phone_places(text).into_iter().map(|place| &text[place]))
    }

    /// Where telephone numbers stand in `text`: written internationally, or led in by a word for telephone.
    pub(crate) fn phone_places(&self, text: &str) -> Vec<Range<usize>> {
        let near = NearDigits::of(text);
        let numbers = near.iter().flat_map(|(start, part)| {
            self.digits.find_iter(part).map(move |found| (start + found.start(), found))
        });
        let numbers = numbers.filter(|(at, found)| {
            let before = &text[..*at];
            let digits = found.as_str().chars().filter(char::is_ascii_digit).count();
            let international = found.as_str().starts_with(['+', '('])
                || (found.as_str().starts_with("00") && digits >= INTERNATIONAL);
            let alone =
                !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.' | '#'));
            alone && (8..=15).contains(&digits) && (international || self.phone_cue.is_match(before))
        });
        numbers.map(|(at, found)| at..at + found.len()).collect()
    }

    /// Full card numbers in `text`: 13 to 19 digits whose check digit is right.
    pub(crate) fn cards(&self, text: &str) -> Vec<String> {
        let near = NearDigits::of(text);
        let numbers = near.iter().flat_map(|(_, part)| self.card.find_iter(part)).map(|found| found.as_str());
        once(numbers.filter(|number| passes_luhn(number)))
    }
}

fn once<'a>(found: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in found {
        if !kept.iter().any(|known| known == text) {
            kept.push(text.to_owned());
        }
    }
    kept
}

/// The check of ISO/IEC 7812: every second digit from the right doubled, the sum divisible by ten.
pub(crate) fn passes_luhn(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts() -> Contacts {
        Contacts::load().unwrap()
    }

    #[test]
    fn addresses_and_links_end_before_punctuation() {
        assert_eq!(
            contacts().emails("write to Garden.Shed+x@example.co.uk."),
            ["Garden.Shed+x@example.co.uk"]
        );
        assert_eq!(
            contacts().urls("see (https://a.example/b?c=d), or www.b.example!"),
            ["https://a.example/b?c=d", "www.b.example"]
        );
    }

    #[test]
    fn telephone_numbers_need_a_sign_of_being_one() {
        assert_eq!(contacts().phones("reach me on +1 202 555 0142, mornings"), ["+1 202 555 0142"]);
        assert_eq!(contacts().phones("Telefon: 030 1234567"), ["030 1234567"]);
        for text in ["order 4821300000", "2026-02-07 21:58:12", "ref 123-456-789", "4111 1111 1111 1111"] {
            assert!(contacts().phones(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn card_numbers_carry_their_check_digit() {
        assert_eq!(contacts().cards("Card 4111 1111 1111 1111, exp 09/28"), ["4111 1111 1111 1111"]);
        assert!(contacts().cards("4111 1111 1111 1112 or 0000000000000000").is_empty());
    }
}
