//! What a ticket names, measured on labelled texts: of what is found, how much is right, and of what is there, how much
//! is found.
//!
//! `data/entities.jsonl` was written by hand by someone who knew the rules, and the rules were mended by it: the figures flatter. A label is what a support agent would copy
//! out of the text; what a text does not have, its row does not name.

use crate::desk::{Desk, Labelled, labelled};
use std::collections::{BTreeMap, BTreeSet};
use ticketflow_tickets::triage::{Amount, Extraction};

/// Right, too much, missing.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    right: usize,
    extra: usize,
    missing: usize,
}

impl Count {
    fn add(&mut self, found: &BTreeSet<String>, expected: &BTreeSet<String>) {
        self.right += found.intersection(expected).count();
        self.extra += found.difference(expected).count();
        self.missing += expected.difference(found).count();
    }

    /// Per cent of what was found that is right, and of what is there that was found.
    fn percent(self) -> (usize, usize) {
        let share = |of: usize| (self.right * 100).checked_div(self.right + of).unwrap_or(100);
        (share(self.extra), share(self.missing))
    }
}

/// A field of the labels, and the same of an extraction.
type Field = (&'static str, fn(&Extraction) -> Vec<String>);

/// With how much precision and recall each is to be found, in per cent.
const FIELDS: [(Field, (usize, usize)); 10] = [
    (("orders", |found| found.order_ids.clone()), (95, 85)),
    (("invoices", |found| found.invoice_ids.clone()), (95, 85)),
    (("amounts", |found| found.amounts.iter().map(amount).collect()), (95, 85)),
    (("error_codes", |found| found.error_codes.clone()), (95, 85)),
    (("dates", |found| found.dates.iter().map(|date| date.text.clone()).collect()), (90, 80)),
    (("emails", |found| found.emails.clone()), (95, 95)),
    (("phones", |found| found.phones.clone()), (90, 80)),
    (("urls", |found| found.urls.clone()), (95, 95)),
    (("versions", |found| found.versions.clone()), (90, 80)),
    (("devices", |found| found.devices.clone()), (90, 80)),
];

fn amount(amount: &Amount) -> String {
    format!("{} {}", amount.value, amount.currency)
}

/// The same for the same thing: without "HTTP" and "#" before a code, without the cents of a whole sum.
fn plain(field: &str, text: &str) -> String {
    let text = match field {
        "error_codes" => text.rsplit([' ', ':', '#']).next().unwrap_or(text).to_owned(),
        "amounts" => text.replace(".00 ", " "),
        "dates" => text.trim_end_matches('.').to_owned(),
        _ => text.trim_start_matches('#').to_owned(),
    };
    text.to_lowercase()
}

fn expected(text: &Labelled, field: &str) -> BTreeSet<String> {
    let labels = text.row[field].as_array();
    labels.into_iter().flatten().map(|label| plain(field, label.as_str().unwrap())).collect()
}

#[test]
fn what_a_ticket_names_is_found_and_nothing_else() {
    let desk = Desk::open();
    let texts = labelled("tests/offline/data/entities.jsonl").unwrap();
    assert!(texts.len() >= 150, "{}", texts.len());
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for text in &texts {
        let category = desk.offline.classify(text.message()).category;
        let found = desk.offline.extract(text.message(), &category);
        for ((field, of), _) in FIELDS {
            let found = of(&found).iter().map(|text| plain(field, text)).collect();
            let expected = expected(text, field);
            counts.entry(field).or_default().add(&found, &expected);
            if found != expected {
                println!(
                    "{field}: found {found:?}, expected {expected:?} in: {} / {}",
                    text.subject, text.body
                );
            }
        }
    }
    for ((field, _), wanted) in FIELDS {
        let (precision, recall) = counts[field].percent();
        println!("{field}: precision {precision} %, recall {recall} %, {:?}", counts[field]);
        assert!(precision >= wanted.0 && recall >= wanted.1, "{field}: {precision} %, {recall} %");
    }
}

#[test]
fn what_a_customer_wants_is_among_the_asks() {
    let desk = Desk::open();
    let texts = labelled("tests/offline/data/entities.jsonl").unwrap();
    let mut count = Count::default();
    for text in texts.iter().filter(|text| text.row.get("asks").is_some()) {
        let category = desk.offline.classify(text.message()).category;
        let found: BTreeSet<_> = desk
            .offline
            .extract(text.message(), &category)
            .asks
            .iter()
            .map(|ask| plain("asks", ask))
            .collect();
        let expected = expected(text, "asks");
        if found != expected {
            println!("asks: found {found:?}, expected {expected:?}");
        }
        count.add(&found, &expected);
    }
    let (precision, recall) = count.percent();
    println!("asks: precision {precision} %, recall {recall} %, {count:?}");
    assert!(precision >= 85 && recall >= 85, "{precision} %, {recall} %");
}
