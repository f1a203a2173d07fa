//! Owns order and invoice numbers. A number counts only where the text says what it is: never a year, never a price.

use super::{super::OfflineError, digits::NearDigits};
use regex::Regex;

/// Finds order and invoice numbers.
#[derive(Debug)]
pub(super) struct Identifiers {
    order_code: Regex,
    hash_number: Regex,
    other_number: Regex,
    named_order: Regex,
    invoice_code: Regex,
    named_invoice: Regex,
    number: Regex,
}

/// What may stand between the word and the number: "number", "Nr.", "n°", a colon, an opening bracket.
const LINK: &str = r"[\s:#(,]*(?:(?:number|numbers|nummern?|no|nos|nr|num|id|ref|reference|número|numero|numéro|số)\b\.?|n[°ºo.]|№)?[\s.:#°º(]*(?:(?:is|was|ist|lautet|war|es|est|é|là)\s)?#?";
/// A number as shops write them: digits, in groups or not, perhaps with letters before a group. `SO-2024-00871`.
const NUMBER: &str = r"[A-Z]{0,5}[-_/]?[0-9]+(?:[-_/][A-Z]{0,4}[0-9]*)*[0-9A-Z]";
/// Words before a number sign whose number is that of something else.
const OTHERS: &str = r"(?i)\b(?:error|fehler|erreur|erro|code|ticket|case|issue|bug|invoice|rechnung|factura|facture|fatura|card|room|item|article|artikel|page|seite|line)\s*(?:number|no\.?|nr\.?)?\s*$";

impl Identifiers {
    pub(super) fn load() -> Result<Self, OfflineError> {
        let order = r"(?:orders?|ord|(?-i:PO)|bestellung(?:en)?|bestellnummer|bestellnr|auftrag(?:s(?:nummer|nr))?|pedidos?|orden|encomendas?|commandes?|purchase|ordine|bestelling|zamówieni\w{1,2}|đơn hàng|don hang)";
        let invoice = r"(?:invoices?|rechnung(?:s(?:nummer|nr)|nummer)?|faktura|facturas?|faturas?|factures?|fattura|factuur|hóa đơn)";
        let more = format!(r"(?:\s*(?:,|and|und|y|et|e|&|\+|or|oder|ou|o)\s*#?{NUMBER}\b)*");
        Ok(Self {
            order_code: Regex::new(r"(?i)\bORD(?:(-)|[#: ]{1,2})?([0-9]{3,12})\b")?,
            hash_number: Regex::new(r"(?:^|[^\w&#])#\s?([0-9]{4,10})\b")?,
            other_number: Regex::new(OTHERS)?,
            named_order: Regex::new(&format!(r"(?i)\b{order}\b{LINK}({NUMBER}\b{more})"))?,
            invoice_code: Regex::new(
                r"(?i)\bINV[-_/ ]?[0-9]{3,10}(?:[-_/][0-9]{2,10})?\b|\bin_[0-9][0-9A-Z]{9,}\b",
            )?,
            named_invoice: Regex::new(&format!(
                r"(?i)\b{invoice}\b{LINK}((?:(?-i:[A-Z]{{2,3}}) )?{NUMBER})\b"
            ))?,
            number: Regex::new(&format!(r"(?i)\b{NUMBER}\b"))?,
        })
    }

    /// Orders named in a text, in the order of their mention.
    pub(super) fn orders(&self, near: &NearDigits<'_>) -> Vec<String> {
        let mut found: Vec<(usize, &str)> = Vec::new();
        for (start, part) in near.iter() {
            for code in self.order_code.captures_iter(part) {
                let hyphenated = code.get(1).and_then(|_| code.get(0));
                found.extend(hyphenated.or_else(|| code.get(2)).map(|id| (start + id.start(), id.as_str())));
            }
            let is_id = |at: usize, id: &str| !is_price(near.text, at..at + id.len());
            for number in self.hash_number.captures_iter(part).filter_map(|number| number.get(1)) {
                let (at, id) = (start + number.start(), number.as_str());
                let before = part[..number.start()].trim_end_matches(['#', ' ']);
                let goes_on = near.text[at + id.len()..].starts_with(['-', '/', '_']);
                let of_order = !goes_on && is_id(at, id) && !self.other_number.is_match(before);
                found.extend(of_order.then_some((at, id)));
            }
            for list in self.named_order.captures_iter(part).filter_map(|named| named.get(1)) {
                let numbers = self.number.find_iter(list.as_str());
                let placed = numbers.map(|id| (start + list.start() + id.start(), id.as_str()));
                found.extend(placed.filter(|(at, id)| is_number(id) && is_id(*at, id)));
            }
        }
        found.sort_unstable();
        without_bare_doubles(found.into_iter().map(|(_, id)| id))
    }

    /// Invoices named in a text, in the order of their mention.
    pub(super) fn invoices(&self, near: &NearDigits<'_>) -> Vec<String> {
        let mut found: Vec<(usize, &str)> = Vec::new();
        for (start, part) in near.iter() {
            found.extend(self.invoice_code.find_iter(part).map(|code| (start + code.start(), code.as_str())));
        }
        for (start, part) in near.iter() {
            for id in self.named_invoice.captures_iter(part).filter_map(|named| named.get(1)) {
                let (at, id) = (start + id.start(), id.as_str());
                let known = found.iter().any(|(_, code)| code.ends_with(id) || id.ends_with(code));
                if !known && is_number(id) && !is_price(near.text, at..at + id.len()) {
                    found.push((at, id));
                }
            }
        }
        found.sort_unstable();
        without_bare_doubles(found.into_iter().map(|(_, id)| id))
    }
}

/// Whether it has enough digits for a number of something, and is neither a year, nor a day, nor a measure.
fn is_number(id: &str) -> bool {
    let digits = id.chars().filter(char::is_ascii_digit).count();
    let measure =
        id.as_bytes().windows(2).any(|pair| pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic());
    (4..=22).contains(&digits) && !measure && !is_year(id) && !is_day(id)
}

/// A day with its year, in numbers.
fn is_day(id: &str) -> bool {
    let parts: Vec<&str> = id.split(['-', '/']).collect();
    let is = |part: &str, most: u32| part.parse().is_ok_and(|number: u32| (1..=most).contains(&number));
    match parts[..] {
        [year, month, day] if is_year(year) => is(month, 12) && is(day, 31),
        [one, other, year] if is_year(year) || year.len() == 2 => is(one, 31) && is(other, 31),
        _ => false,
    }
}

fn is_year(number: &str) -> bool {
    number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
}

/// Characters of the longest unit that [`is_price`] knows.
const LONGEST_UNIT: usize = 6;

/// A decimal part, a currency or a unit right behind the number, or a currency right before it.
fn is_price(text: &str, range: std::ops::Range<usize>) -> bool {
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let mut next = after.chars();
    let decimal = matches!(next.next(), Some('.' | ',')) && next.next().is_some_and(|c| c.is_ascii_digit());
    let unit = after.trim_start().chars().take(LONGEST_UNIT).collect::<String>().to_lowercase();
    let units = [
        "€", "$", "£", "%", "eur", "usd", "euro", "dollar", "gbp", "pounds", "reais", "pcs", "pieces",
        "times", "items",
    ];
    decimal || units.iter().any(|u| unit.starts_with(u)) || before.trim_end().ends_with(['€', '$', '£'])
}

/// Keeps the first mention of each; `48213` goes when `ORD-48213` is there as well.
fn without_bare_doubles<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let ids: Vec<&str> = ids.collect();
    let mut kept: Vec<String> = Vec::new();
    for id in &ids {
        let fuller = ids.iter().any(|other| other.len() > id.len() && other.ends_with(&format!("-{id}")));
        if !fuller && !kept.iter().any(|known| known.eq_ignore_ascii_case(id)) {
            kept.push((*id).to_owned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(text: &str) -> Vec<String> {
        Identifiers::load().unwrap().orders(&NearDigits::of(text))
    }

    fn invoices(text: &str) -> Vec<String> {
        Identifiers::load().unwrap().invoices(&NearDigits::of(text))
    }

    #[test]
    fn orders_are_found_in_every_language() {
        for (text, expected) in [
            ("ORD-48213 has not come", "ORD-48213"),
            ("tracking for #48977 is odd", "48977"),
            ("my order number is 48213.", "48213"),
            ("the last order (49555, a kettle)", "49555"),
            ("meine Bestellung Nr. 50877", "50877"),
            ("mi pedido número 51204", "51204"),
            ("la commande n° 51990", "51990"),
            ("a encomenda 52013", "52013"),
            ("(ord 49866, paid)", "49866"),
        ] {
            assert_eq!(orders(text), [expected], "{text}");
        }
        assert_eq!(orders("orders 48213, 48214 and 48215"), ["48213", "48214", "48215"]);
    }

    #[test]
    fn one_order_named_twice_is_one() {
        assert_eq!(orders("Re: ORD-48213: #48213, order 48213"), ["ORD-48213"]);
    }

    #[test]
    fn years_prices_and_counts_are_no_orders() {
        for text in [
            "my order 2024 was fine",
            "an order 1284.50 in total",
            "order: 3000 EUR",
            "we get 12000 orders",
            "issue #12",
            "an order of 1500 pieces",
            "colour #48213a",
        ] {
            assert!(orders(text).is_empty(), "{text}: {:?}", orders(text));
        }
    }

    #[test]
    fn invoices_are_found() {
        assert_eq!(invoices("invoice INV-2026-0088 of 30 January 2026"), ["INV-2026-0088"]);
        assert_eq!(invoices("Rechnung Nr. 2026-0153 und Rechnung 88123"), ["2026-0153", "88123"]);
        assert!(invoices("the invoice of 2026 over 412.00").is_empty());
    }
}
