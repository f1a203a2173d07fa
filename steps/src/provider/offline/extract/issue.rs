//! Owns the concrete matter of a ticket, and what support needs to know for each.

use super::super::{
    OfflineError,
    reading::Reading,
    text::{PhraseBook, Words},
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use ticketflow_tickets::{
    language::Language,
    taxonomy::Category,
    triage::{Extraction, IssueType},
};

const SURE: f64 = 8.0;
const STRONG: f64 = 3.0;
const WEAK: f64 = 1.0;
/// What counts more for standing in the subject.
const IN_SUBJECT: f64 = 2.0;
/// What a matter of the ticket's own category is ahead by.
const OWN_CATEGORY: f64 = 4.0;

/// Something support has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Need {
    /// The order number.
    OrderId,
    /// The invoice number.
    InvoiceId,
    /// Invoice, order or amount with date of a payment.
    PaymentReference,
    /// Version of app or system.
    Version,
    /// Pictures of the item.
    Photos,
}

impl Need {
    /// Name of the question in the wording files.
    pub(in super::super) const fn key(self) -> &'static str {
        match self {
            Self::OrderId => "order_id",
            Self::InvoiceId => "invoice_id",
            Self::PaymentReference => "payment_reference",
            Self::Version => "version",
            Self::Photos => "photos",
        }
    }

    /// Whether `found`, taken from `text`, already holds it.
    pub(in super::super) fn is_met(self, found: &Extraction, text: &str) -> bool {
        match self {
            Self::OrderId => found.order_id.is_some(),
            Self::InvoiceId => !found.invoice_ids.is_empty(),
            Self::PaymentReference => {
                found.order_id.is_some() || !found.invoice_ids.is_empty() || !found.amounts.is_empty()
            }
            Self::Version => !found.versions.is_empty(),
            Self::Photos => {
                let folded = super::super::text::fold(text);
                ["photo", "foto", "picture", "bild", "image", "imagen"]
                    .iter()
                    .any(|word| folded.contains(word))
            }
        }
    }
}

#[derive(Deserialize)]
struct IssueFile {
    issue: Vec<IssueSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueSection {
    #[serde(rename = "type")]
    issue: IssueType,
    category: String,
    article: Option<String>,
    #[serde(default)]
    trouble: bool,
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default)]
    helps: Vec<Need>,
    next: String,
    #[serde(default)]
    sure: BTreeMap<Language, Vec<String>>,
    #[serde(default)]
    strong: BTreeMap<Language, Vec<String>>,
    #[serde(default)]
    weak: BTreeMap<Language, Vec<String>>,
}

/// What is known about a matter.
#[derive(Debug)]
pub(in super::super) struct Matter {
    issue: IssueType,
    category: String,
    /// Id of the article that usually answers it.
    pub(in super::super) article: Option<String>,
    /// Whether something went wrong for the customer.
    pub(in super::super) trouble: bool,
    /// What support must know before it can do anything.
    pub(in super::super) needs: Vec<Need>,
    /// What makes it quicker.
    pub(in super::super) helps: Vec<Need>,
    /// Name of the sentence that says what happens next.
    pub(in super::super) next: String,
}

/// The matters and their phrases.
#[derive(Debug)]
pub(in super::super) struct Matters {
    matters: Vec<Matter>,
    phrases: PhraseBook<(usize, f64)>,
}

impl Matters {
    /// Reads the matters that come with the program.
    pub(in super::super) fn load() -> Result<Self, OfflineError> {
        let file: IssueFile = toml::from_str(include_str!("../../../../data/issues.toml"))?;
        let mut phrases = PhraseBook::default();
        let mut matters = Vec::with_capacity(file.issue.len());
        for (number, section) in file.issue.into_iter().enumerate() {
            let IssueSection { issue, category, article, trouble, needs, helps, next, sure, strong, weak } =
                section;
            for (lists, weight) in [(sure, SURE), (strong, STRONG), (weak, WEAK)] {
                for (language, phrase) in
                    lists.into_iter().flat_map(|(l, list)| list.into_iter().map(move |p| (l, p)))
                {
                    phrases.add(language, &phrase, (number, weight))?;
                }
            }
            matters.push(Matter { issue, category, article, trouble, needs, helps, next });
        }
        Ok(Self { matters, phrases })
    }

    /// What is known about `issue`; none for a plain question.
    pub(in super::super) fn of(&self, issue: IssueType) -> Option<&Matter> {
        self.matters.iter().find(|matter| matter.issue == issue)
    }

    /// The category that matters of that kind usually belong to.
    pub(in super::super) fn category(&self, issue: IssueType) -> &str {
        self.of(issue).map_or("general", |matter| &matter.category)
    }

    /// The matter whose phrases speak loudest, those of `category` being ahead.
    pub(super) fn issue(&self, reading: &Reading, category: &Category) -> IssueType {
        if let Some(issue) = self.only_one(category) {
            return issue;
        }
        let mut scores: HashMap<usize, f64> = HashMap::new();
        let parts = [(&reading.subject_words, IN_SUBJECT), (&reading.own_words, 1.0)];
        for (number, score) in
            parts.iter().flat_map(|(words, factor)| self.scores(reading.language, words, *factor))
        {
            *scores.entry(number).or_default() += score;
        }
        for (number, score) in &mut scores {
            *score += if self.matters[*number].category == category.as_str() { OWN_CATEGORY } else { 0.0 };
        }
        let ahead = |(number, score): &(usize, f64), (other, best): &(usize, f64)| {
            score.total_cmp(best).then(other.cmp(number))
        };
        scores.into_iter().max_by(ahead).map_or(IssueType::Question, |(number, _)| self.matters[number].issue)
    }

    /// The matter of a category that has no other.
    fn only_one(&self, category: &Category) -> Option<IssueType> {
        let mut own = self.matters.iter().filter(|matter| matter.category == category.as_str());
        own.next().filter(|_| own.next().is_none()).map(|matter| matter.issue)
    }

    /// Each phrase once, with what it adds to its matter.
    fn scores(&self, language: Language, words: &Words, factor: f64) -> Vec<(usize, f64)> {
        let mut seen = HashSet::new();
        let places = self.phrases.matches(language, words);
        let fresh = places.iter().filter(|place| seen.insert((place.phrase, place.value.0)));
        fresh.map(|place| (place.value.0, place.value.1 * factor)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::offline::{Message, Offline};
    use ticketflow_tickets::taxonomy::Taxonomy;

    fn issue(category: &str, body: &str) -> IssueType {
        let offline = Offline::new(Taxonomy::built_in().unwrap()).unwrap();
        offline.extract(Message { subject: "-", body }, &Category::parse(category).unwrap()).issue_type
    }

    #[test]
    fn a_matter_of_the_tickets_own_category_is_ahead() {
        let body = "I want a refund, the parcel has not arrived.";
        assert_eq!(issue("billing", body), IssueType::RefundRequest);
        assert_eq!(issue("order", body), IssueType::NotDelivered);
    }

    #[test]
    fn a_category_with_one_matter_is_that_matter() {
        assert_eq!(issue("feature_request", "Webhooks should be filtered."), IssueType::FeatureRequest);
    }

    #[test]
    fn what_fits_nothing_is_a_question() {
        assert_eq!(issue("general", "Hmm."), IssueType::Question);
        assert_eq!(issue("own_category", "Hmm."), IssueType::Question);
    }

    #[test]
    fn every_matter_names_a_category_and_most_an_article_that_exist() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let articles = ticketflow_tickets::knowledge::shipped_articles().unwrap();
        let matters = Matters::load().unwrap();
        for matter in &matters.matters {
            assert!(taxonomy.category(&matter.category).is_ok(), "{}", matter.issue);
            if let Some(usual) = &matter.article {
                assert!(articles.iter().any(|article| article.id.as_str() == usual), "{usual}");
            }
        }
        let unknown = |issue: &&IssueType| **issue != IssueType::Question && matters.of(**issue).is_none();
        assert_eq!(IssueType::ALL.iter().find(unknown), None);
    }

    #[test]
    fn needs_are_met_by_what_was_found() {
        let mut found = Extraction::empty(IssueType::Damaged);
        assert!(!Need::OrderId.is_met(&found, "") && !Need::PaymentReference.is_met(&found, ""));
        assert!(Need::Photos.is_met(&found, "Fotos liegen bei"));
        found.order_id = Some("48213".to_owned());
        assert!(Need::OrderId.is_met(&found, "") && Need::PaymentReference.is_met(&found, ""));
    }
}
