//! Owns what a ticket names and asks for. Whatever it returns stands in the ticket, letter for letter.

mod amounts;
mod asks;
mod catalogue;
mod codes;
mod contacts;
mod dates;
mod digits;
mod identifiers;
mod issue;
mod product;

pub use catalogue::{Catalogue, CatalogueError};
pub(crate) use contacts::{Contacts, passes_luhn};
pub(super) use issue::{Matters, Need};

use super::{OfflineError, priority::PriorityRules, reading::Reading};
use amounts::Amounts;
use asks::Asks;
use codes::Codes;
use dates::Dates;
use digits::NearDigits;
use identifiers::Identifiers;
use product::Products;
use ticketflow_tickets::{
    taxonomy::Category,
    triage::{Amount, DateMention, Extraction, IssueType, Risk},
};

/// Longest list of anything.
const MOST: usize = 20;

/// Everything that finds something.
#[derive(Debug)]
pub(super) struct Extractor {
    identifiers: Identifiers,
    amounts: Amounts,
    dates: Dates,
    contacts: Contacts,
    codes: Codes,
    products: Products,
    catalogue: Catalogue,
    asks: Asks,
    matters: Matters,
}

/// What a ticket names that bears on its category; found once, for the category and for the extraction.
#[derive(Debug)]
pub(super) struct Named {
    orders: Vec<String>,
    invoices: Vec<String>,
    amounts: Vec<Amount>,
    error_codes: Vec<String>,
    versions: Vec<String>,
}

/// What of a ticket bears on its category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Traces {
    /// Orders named.
    pub(super) orders: usize,
    /// Invoices named.
    pub(super) invoices: usize,
    /// Sums named.
    pub(super) amounts: usize,
    /// Error codes named.
    pub(super) error_codes: usize,
    /// Versions named.
    pub(super) versions: usize,
}

impl Extractor {
    /// Compiles the patterns and reads the lists that come with the program.
    pub(super) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            identifiers: Identifiers::load()?,
            amounts: Amounts::load()?,
            dates: Dates::load()?,
            contacts: Contacts::load()?,
            codes: Codes::load()?,
            products: Products::load()?,
            catalogue: Catalogue::default(),
            asks: Asks::load()?,
            matters: Matters::load()?,
        })
    }

    /// Looks for these products as well.
    pub(super) fn know(&mut self, catalogue: Catalogue) {
        self.catalogue = catalogue;
    }

    /// What the site sells.
    pub(super) const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What is known about the matters.
    pub(super) const fn matters(&self) -> &Matters {
        &self.matters
    }

    /// Finds addresses, telephone numbers, links and card numbers.
    pub(super) const fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// Order numbers in `text`.
    pub(super) fn order_ids(&self, text: &str) -> Vec<String> {
        self.identifiers.orders(&NearDigits::of(text))
    }

    /// Invoice numbers in `text`.
    pub(super) fn invoice_ids(&self, text: &str) -> Vec<String> {
        self.identifiers.invoices(&NearDigits::of(text))
    }

    /// Sums of money and days in `text`, as they stand there.
    pub(super) fn figures(&self, text: &str) -> Vec<String> {
        let near = NearDigits::of(text);
        let sums = self.amounts.find(&near).into_iter().map(|amount| amount.text);
        sums.chain(self.dates.find(&near).into_iter().map(|date| date.text)).collect()
    }

    /// Sums of money in `text`.
    pub(super) fn amounts(&self, text: &str) -> Vec<Amount> {
        self.amounts.find(&NearDigits::of(text))
    }

    /// Days in `text`.
    pub(super) fn dates(&self, text: &str) -> Vec<DateMention> {
        self.dates.find(&NearDigits::of(text))
    }

    /// Everything in `text` that has a number and a meaning: what may be said back to whoever wrote it.
    pub(super) fn numbered(&self, text: &str) -> Vec<String> {
        let near = NearDigits::of(text);
        let lists = [
            self.identifiers.orders(&near),
            self.identifiers.invoices(&near),
            self.codes.sure_errors(&near),
            self.codes.versions(&near),
            self.codes.devices(text),
            self.contacts.emails(text),
            self.contacts.phones(text),
            self.figures(text),
        ];
        lists.concat()
    }

    /// Whether `text` names an address, a link or a number that `evidence` does not hold.
    pub(super) fn invents(&self, text: &str, evidence: &str) -> bool {
        let evidence = evidence.to_lowercase();
        let named = [
            self.contacts.emails(text),
            self.contacts.phones(text),
            self.contacts.urls(text),
            self.order_ids(text),
            self.invoice_ids(text),
        ];
        named.iter().flatten().any(|name| !evidence.contains(&name.to_lowercase()))
    }

    /// What the ticket names and asks for, given its category.
    pub(super) fn extract(
        &self,
        reading: &Reading,
        category: &Category,
        rules: &PriorityRules,
    ) -> Extraction {
        let (text, named) = (&reading.text, self.named(reading));
        let issue_type = self.matters.issue(reading, category);
        let order_ids = or_in(&named.orders, &reading.quoted, |text| self.order_ids(text));
        Extraction {
            order_id: order_ids.first().cloned(),
            order_ids,
            invoice_ids: or_in(&named.invoices, &reading.quoted, |text| self.invoice_ids(text)),
            product: self
                .catalogue
                .find(text, Some(category))
                .map(str::to_owned)
                .or_else(|| self.products.find(reading, self.matters.category(issue_type))),
            amounts: cut(named.amounts.clone()),
            dates: cut(self.dates.find(&NearDigits::of(text))),
            emails: cut(self.contacts.emails(text)),
            phones: cut(self.contacts.phones(text)),
            error_codes: cut(named.error_codes.clone()),
            versions: cut(named.versions.clone()),
            urls: cut(self.contacts.urls(text)),
            devices: cut(self.codes.devices(text)),
            issue_type,
            asks: self.asks.find(reading),
            risks: self.risks(reading, issue_type, rules),
            mentions: Vec::new(),
        }
    }

    /// Counts what bears on the category.
    pub(super) fn traces(&self, reading: &Reading) -> Traces {
        let named = self.named(reading);
        Traces {
            orders: named.orders.len(),
            invoices: named.invoices.len(),
            amounts: named.amounts.len(),
            error_codes: named.error_codes.len(),
            versions: named.versions.len(),
        }
    }

    fn named<'a>(&self, reading: &'a Reading) -> &'a Named {
        reading.named.get_or_init(|| {
            let near = NearDigits::of(&reading.text);
            Named {
                orders: self.identifiers.orders(&near),
                invoices: self.identifiers.invoices(&near),
                amounts: self.amounts.find(&near),
                error_codes: self.codes.errors(&near),
                versions: self.codes.versions(&near),
            }
        })
    }

    fn risks(&self, reading: &Reading, issue: IssueType, rules: &PriorityRules) -> Vec<Risk> {
        let mut risks = rules.risks(reading.language, &reading.words);
        if issue == IssueType::AccountCompromised {
            risks.insert(Risk::Security);
        }
        if !reading.instructions.is_empty() {
            risks.insert(Risk::Injection);
        }
        if !self.contacts.cards(&reading.text).is_empty() {
            risks.insert(Risk::CardNumber);
        }
        risks.into_iter().collect()
    }
}

/// What the customer names, and only else what the customer quotes: the quoted mail may be about something older.
fn or_in(named: &[String], quoted: &str, find: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    cut(if named.is_empty() { find(quoted) } else { named.to_vec() })
}

fn cut<T>(mut found: Vec<T>) -> Vec<T> {
    found.truncate(MOST);
    found
}
