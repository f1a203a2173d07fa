//! Extraction by a model. What it says is taken if it stands in the ticket, letter for letter; what asks for a person is
//! never left to it alone.

use crate::{
    provider::{
        model::{Part, Task, Told, Unfit, schema},
        offline::Message,
    },
    settings::Triage,
};
use serde::Deserialize;
use serde_json::Value;
use ticketflow_engine::StepError;
use ticketflow_tickets::{
    taxonomy::Category,
    triage::{Extraction, IssueType, TriageStep},
};

/// Longest list of anything.
const MOST: usize = 20;

/// What is to be extracted from.
pub(super) struct ExtractTask<'a> {
    pub(super) triage: &'a Triage,
    pub(super) message: Message<'a>,
    pub(super) category: &'a Category,
}

/// What a model answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    order_ids: Vec<String>,
    invoice_ids: Vec<String>,
    product: Option<String>,
    amounts: Vec<String>,
    dates: Vec<String>,
    emails: Vec<String>,
    phones: Vec<String>,
    urls: Vec<String>,
    error_codes: Vec<String>,
    versions: Vec<String>,
    issue_type: IssueType,
    asks: Vec<String>,
}

impl Task for ExtractTask<'_> {
    const STEP: TriageStep = TriageStep::Extract;
    type Answer = Answer;
    type Result = Extraction;

    fn evidence(&self) -> Vec<Part> {
        vec![self.triage.ticket_part(self.message)]
    }

    fn schema(&self) -> Value {
        let list = |description| schema::array(&schema::string("as it stands in the ticket"), description);
        schema::object([
            ("order_ids", list("numbers of orders")),
            ("invoice_ids", list("numbers of invoices")),
            ("product", schema::optional_string("product, plan or part of the service, or null")),
            ("amounts", list("sums of money with their currency")),
            ("dates", list("days")),
            ("emails", list("e-mail addresses")),
            ("phones", list("telephone numbers")),
            ("urls", list("links")),
            ("error_codes", list("codes of errors")),
            ("versions", list("versions of programs and systems")),
            ("issue_type", schema::one_of(&schema::words(IssueType::ALL, IssueType::as_str))),
            ("asks", list("the customer's asks, in the customer's words")),
        ])
    }

    fn accept(&self, answer: Answer, _told: Told<'_>) -> Result<Extraction, Unfit> {
        let offline = self.triage.offline.extract(self.message, self.category);
        let text = self.triage.offline.customers_words(self.message);
        let standing = |found: Vec<String>| -> Vec<String> {
            let mut kept: Vec<String> = Vec::new();
            for value in found.into_iter().map(|value| value.trim().to_owned()) {
                if stands_in(&text, &value) && !kept.contains(&value) {
                    kept.push(value);
                }
            }
            kept.truncate(MOST);
            kept
        };
        let order_ids = standing(answer.order_ids);
        let amounts = standing(answer.amounts);
        let dates = standing(answer.dates);
        Ok(Extraction {
            order_id: order_ids.first().cloned(),
            order_ids,
            invoice_ids: standing(answer.invoice_ids),
            product: self.product(answer.product, &text),
            amounts: amounts.iter().filter_map(|amount| self.triage.offline.amount(amount)).collect(),
            dates: dates.iter().map(|date| self.triage.offline.date(date)).collect(),
            emails: standing(answer.emails),
            phones: standing(answer.phones),
            urls: standing(answer.urls),
            error_codes: standing(answer.error_codes),
            versions: standing(answer.versions),
            issue_type: guarded_first(offline.issue_type, answer.issue_type),
            asks: or_else(said_in(&text, answer.asks), offline.asks),
            risks: offline.risks,
            devices: offline.devices,
            mentions: Vec::new(),
        })
    }

    fn offline(&self) -> Result<Extraction, StepError> {
        Ok(self.triage.offline.extract(self.message, self.category))
    }
}

impl ExtractTask<'_> {
    /// The listed product that the model means; else one that the ticket names, which a model may call by a name that is not
    /// there; else what the model says, if the ticket holds it.
    fn product(&self, answer: Option<String>, text: &str) -> Option<String> {
        let known = |text: &str| self.triage.offline.listed_product(text, self.category);
        let answer = answer.map(|product| product.trim().to_owned());
        let standing = answer.filter(|product| stands_in(text, product));
        standing.as_deref().and_then(known).or_else(|| known(text)).or(standing)
    }
}

/// The model's matter, unless the rules see one that a person decides: no ticket talks its way past that.
const fn guarded_first(rules: IssueType, model: IssueType) -> IssueType {
    if rules.is_guarded() && !model.is_guarded() { rules } else { model }
}

/// Whether `value` stands in `text` as a word or words of its own, not as a piece of a longer number.
fn stands_in(text: &str, value: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let alone = |(at, found): (usize, &str)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + found.len()..].chars().next());
        let (first, last) = (found.chars().next(), found.chars().next_back());
        (apart(before) || apart(first)) && (apart(after) || apart(last))
    };
    !value.is_empty() && text.match_indices(value).any(alone)
}

/// The asks that are the customer's words, however their lines were broken.
fn said_in(text: &str, asks: Vec<String>) -> Vec<String> {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let text = plain(text);
    let said = asks.into_iter().map(|ask| ask.trim().to_owned());
    said.filter(|ask| !ask.is_empty() && text.contains(&plain(ask))).take(MOST).collect()
}

fn or_else(found: Vec<String>, otherwise: Vec<String>) -> Vec<String> {
    if found.is_empty() { otherwise } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_in_a_text_only_by_itself() {
        let text = "Order 48213 (INV-7), 12,50 € on app v2.1, error E42.";
        for value in ["48213", "INV-7", "12,50 €", "v2.1", "E42", "app v2.1"] {
            assert!(stands_in(text, value), "{value}");
        }
        for value in ["4821", "8213", "48214", "v2", "INV", "", "E4"] {
            assert_eq!(stands_in(text, value), ["v2", "INV"].contains(&value), "{value}");
        }
    }

    #[test]
    fn asks_are_the_customers_words_whatever_the_lines() {
        let asks = vec!["Can you  refund it?".to_owned(), "Send me gold.".to_owned(), " ".to_owned()];
        assert_eq!(said_in("Hello. can you\nrefund it? Bye", asks), ["Can you  refund it?"]);
    }

    #[test]
    fn no_model_makes_a_guarded_matter_harmless() {
        let (guarded, harmless) = (IssueType::RefundRequest, IssueType::Question);
        assert_eq!(guarded_first(guarded, harmless), guarded);
        assert_eq!(guarded_first(harmless, guarded), guarded);
        assert_eq!(guarded_first(guarded, IssueType::DataDeletion), IssueType::DataDeletion);
        assert_eq!(guarded_first(harmless, IssueType::Slow), IssueType::Slow);
    }
}
