//! Owns where in a text a number may be named: most of a ticket is far from any digit, and no pattern has to look there.

use std::ops::Range;

/// Letters and digits up to which something that names a number reaches from its first digit back and from its last one
/// on; "Rechnungsnummer reference is ABCD-" has 32.
const REACH: usize = 40;

/// A text and its stretches around digits. Each begins and ends at white space or with the text, so that what a pattern
/// asks of the characters around a match is the same in the stretch as in the text.
#[derive(Debug)]
pub(super) struct NearDigits<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    stretches: Vec<Range<usize>>,
}

impl<'a> NearDigits<'a> {
    /// Looks for the digits of `text`.
    pub(super) fn of(text: &'a str) -> Self {
        let mut stretches: Vec<Range<usize>> = Vec::new();
        let bytes = text.as_bytes();
        for at in (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()) {
            if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                continue;
            }
            // Text without white space is read once, not once for each of its numbers.
            if stretches.last().is_some_and(|last| at < last.end && is_reached(&text[at + 1..last.end])) {
                continue;
            }
            let number =
                bytes[..at].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |before| before + 1);
            let start = number - reach(text[..number].chars().rev());
            let end = at + 1 + reach(text[at + 1..].chars());
            match stretches.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                Some(_) | None => stretches.push(start..end),
            }
        }
        Self { text, stretches }
    }

    /// The stretches, each with where it begins.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.stretches.iter().map(|range| (range.start, &self.text[range.clone()]))
    }
}

/// Whether what follows a number goes past what it reaches: then it adds nothing to a stretch that ends there.
fn is_reached(following: &str) -> bool {
    following.chars().filter(|c| c.is_alphanumeric()).nth(REACH).is_some()
}

/// Bytes of `chars` up to the first white space behind [`REACH`] letters and digits.
fn reach(chars: impl Iterator<Item = char>) -> usize {
    let mut passed = 0;
    let within = chars.take_while(|c| {
        passed += usize::from(c.is_alphanumeric());
        passed <= REACH || !c.is_whitespace()
    });
    within.map(char::len_utf8).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_reaches_whole_words_around_the_digits() {
        let text = format!("{} my order is {:>60} {}", "far ".repeat(30), 48213, "behind ".repeat(30));
        let near = NearDigits::of(&text);
        let [(start, stretch)] = near.iter().collect::<Vec<_>>()[..] else { panic!("{near:?}") };
        assert!(stretch.starts_with("far far") && stretch.ends_with("behind behind"), "{stretch}");
        assert!(stretch.contains(" my order is ") && stretch.contains(" 48213 "));
        assert!(text[start..].starts_with(stretch) && stretch.len() < text.len() / 2);
    }

    #[test]
    fn neighbouring_numbers_share_a_stretch_and_distant_ones_do_not() {
        assert_eq!(NearDigits::of("12.50 € or 13 €").iter().collect::<Vec<_>>(), [(0, "12.50 € or 13 €")]);
        assert_eq!(NearDigits::of(&format!("1 {} 2", "word ".repeat(40))).iter().count(), 2);
        assert_eq!(NearDigits::of("no number").iter().count(), 0);
        let unbroken = format!("{} and {}", "1a".repeat(200), "words ".repeat(60));
        let near = NearDigits::of(&unbroken);
        let [(0, stretch)] = near.iter().collect::<Vec<_>>()[..] else { panic!("{near:?}") };
        assert!(
            stretch.starts_with(&"1a".repeat(200)) && stretch.ends_with("words words words"),
            "{stretch}"
        );
    }
}
