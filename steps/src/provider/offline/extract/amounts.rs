//! Owns sums of money: a number counts only together with its currency.

use super::{super::OfflineError, digits::NearDigits};
use regex::{Captures, Regex};
use ticketflow_tickets::triage::Amount;

/// Currency words and signs, lower-case, with their ISO 4217 codes. `$` alone is taken for the US dollar.
const CURRENCIES: [(&str, &str); 37] = [
    ("€", "EUR"),
    ("eur", "EUR"),
    ("euro", "EUR"),
    ("euros", "EUR"),
    ("us$", "USD"),
    ("$", "USD"),
    ("usd", "USD"),
    ("dollar", "USD"),
    ("dollars", "USD"),
    ("dólares", "USD"),
    ("£", "GBP"),
    ("gbp", "GBP"),
    ("pound", "GBP"),
    ("pounds", "GBP"),
    ("quid", "GBP"),
    ("r$", "BRL"),
    ("brl", "BRL"),
    ("reais", "BRL"),
    ("real", "BRL"),
    ("chf", "CHF"),
    ("franken", "CHF"),
    ("¥", "JPY"),
    ("jpy", "JPY"),
    ("₹", "INR"),
    ("inr", "INR"),
    ("rupees", "INR"),
    ("₫", "VND"),
    ("vnd", "VND"),
    ("đồng", "VND"),
    ("mxn", "MXN"),
    ("sek", "SEK"),
    ("nok", "NOK"),
    ("dkk", "DKK"),
    ("pln", "PLN"),
    ("cad", "CAD"),
    ("aud", "AUD"),
    ("zł", "PLN"),
];

/// Finds sums of money.
#[derive(Debug)]
pub(super) struct Amounts {
    sign_first: Regex,
    sign_last: Regex,
}

const NUMBER: &str =
    r"[0-9]{1,3}(?:[ .,'’\u{a0}\u{202f}][0-9]{3})+(?:[.,][0-9]{1,2})?|[0-9]+(?:[.,][0-9]{1,2})?";

impl Amounts {
    pub(super) fn load() -> Result<Self, OfflineError> {
        let mut words = CURRENCIES.map(|(word, _)| regex::escape(word));
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let any = words.join("|");
        Ok(Self {
            sign_first: Regex::new(&format!(
                r"(?i)(?P<currency>US\$|R\$|[€$£¥₹₫]|\b(?:EUR|USD|GBP|BRL|CHF|VND)\b)[ \u{{a0}}\u{{202f}}]?(?P<number>{NUMBER})"
            ))?,
            sign_last: Regex::new(&format!(
                r"(?i)\b(?P<number>{NUMBER})(?:[.,][-–—]{{1,2}})?[ \u{{a0}}\u{{202f}}]?(?P<currency>{any})"
            ))?,
        })
    }

    /// Sums in a text, in the order of their mention, each once.
    pub(super) fn find(&self, near: &NearDigits<'_>) -> Vec<Amount> {
        let mut found = Vec::new();
        for pattern in [&self.sign_first, &self.sign_last] {
            for (start, part) in near.iter() {
                let amounts = pattern.captures_iter(part).filter_map(|captures| amount(part, &captures));
                found.extend(amounts.map(|(at, amount)| (start + at.start..start + at.end, amount)));
            }
        }
        // `$1,250.00 MXN` is no sum in US dollars: the letters say which dollars.
        let spelt: Vec<_> = found.iter().filter(|(_, amount)| ends_in_letters(amount)).cloned().collect();
        found.retain(|(range, amount)| {
            let overlaps = |(other, more): &(std::ops::Range<usize>, Amount)| {
                other.start < range.end && range.start < other.end && more.currency != amount.currency
            };
            ends_in_letters(amount) || !amount.text.starts_with('$') || !spelt.iter().any(overlaps)
        });
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut kept: Vec<Amount> = Vec::new();
        let mut reached = 0;
        for (range, amount) in found {
            if range.start >= reached {
                reached = range.end;
                if !kept.iter().any(|known| known.value == amount.value && known.currency == amount.currency)
                {
                    kept.push(amount);
                }
            }
        }
        kept
    }
}

fn ends_in_letters(amount: &Amount) -> bool {
    amount.text.ends_with(char::is_alphabetic)
}

fn amount(text: &str, captures: &Captures<'_>) -> Option<(std::ops::Range<usize>, Amount)> {
    let (whole, number, sign) = (captures.get(0)?, captures.name("number")?, captures.name("currency")?);
    let cut_short = text[whole.end()..].chars().next().is_some_and(char::is_alphanumeric);
    let goes_on = text[..whole.start()].ends_with(['.', ',']) && number.start() == whole.start();
    let word = sign.as_str().to_lowercase();
    let (_, currency) = CURRENCIES.iter().find(|(known, _)| *known == word)?;
    if cut_short || goes_on {
        return None;
    }
    let value = decimal(number.as_str());
    Some((whole.range(), Amount { value, currency: (*currency).to_owned(), text: whole.as_str().to_owned() }))
}

/// Writes `1.234,56` and `1,234.56` alike as `1234.56`: a mark before the last one or two digits is the decimal one.
fn decimal(number: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    match number.rfind(['.', ',']) {
        Some(at) if number.len() - at <= 3 => format!("{}.{}", digits(&number[..at]), digits(&number[at..])),
        Some(_) | None => digits(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Vec<(String, String)> {
        let amounts = Amounts::load().unwrap().find(&NearDigits::of(text));
        amounts.into_iter().map(|amount| (amount.value, amount.currency)).collect()
    }

    #[test]
    fn sums_are_read_however_they_are_written() {
        for (text, value, currency) in [
            ("€ 12,50", "12.50", "EUR"),
            ("$1,234.56", "1234.56", "USD"),
            ("12.50 EUR", "12.50", "EUR"),
            ("5.000 EUR", "5000", "EUR"),
            ("R$ 289,90", "289.90", "BRL"),
            ("£1,284.50", "1284.50", "GBP"),
            ("about 3,100 euros", "3100", "EUR"),
            ("12 000 €", "12000", "EUR"),
            ("129.95 eur", "129.95", "EUR"),
        ] {
            assert_eq!(find(text), [(value.to_owned(), currency.to_owned())], "{text}");
        }
    }

    #[test]
    fn a_sum_named_twice_is_one_and_the_text_is_kept() {
        let amounts = Amounts::load().unwrap().find(&NearDigits::of("89,90 € und wieder 89,90 €"));
        assert_eq!(amounts.len(), 1);
        assert_eq!(amounts[0].text, "89,90 €");
    }

    #[test]
    fn numbers_without_currency_are_no_sums() {
        for text in ["order 48213", "I paid 64.90 for it", "$5k", "3 realistic ideas", "v4.12.1"] {
            assert!(find(text).is_empty(), "{text}: {:?}", find(text));
        }
    }
}
