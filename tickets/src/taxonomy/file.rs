//! Owns [`Taxonomy`], read from a TOML file: the list of categories, their teams and their words.
//!
//! Invariant: names are unique, the fallback is one of them, every weight is positive and finite.

use super::category::{Category, NotACategory};
use crate::{language::Language, word::closed_words};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The categories in use.
#[derive(Debug, Clone, PartialEq)]
pub struct Taxonomy {
    fallback: Category,
    escalation: Escalation,
    categories: Vec<CategoryEntry>,
}

/// One category.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryEntry {
    /// Its name.
    pub name: Category,
    /// The team that works its tickets.
    pub team: String,
    /// What belongs in it, in a sentence.
    pub description: String,
    /// Sentences that customers might write.
    pub examples: Vec<String>,
    /// Words that speak for it.
    pub keywords: Vec<Keyword>,
    /// Things that speak for it, whatever the language.
    pub cues: BTreeMap<Cue, f64>,
}

/// A word or phrase that speaks for a category.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyword {
    /// Language it belongs to.
    pub language: Language,
    /// The phrase, as written in the file.
    pub phrase: String,
    /// How much it says.
    pub weight: f64,
}

closed_words! {
    /// A thing in a ticket's text that speaks for a category.
    Cue {
        /// An order number.
        OrderId => "order_id",
        /// An invoice number.
        InvoiceId => "invoice_id",
        /// A sum of money.
        Amount => "amount",
        /// An error code.
        ErrorCode => "error_code",
        /// The version of a program or system.
        Version => "version",
    }
}

/// Teams that take over whatever the category.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// For stolen accounts and breaches.
    pub security: String,
    /// For legal threats.
    pub legal: String,
}

impl Taxonomy {
    /// The taxonomy that comes with the program.
    pub fn built_in() -> Result<Self, TaxonomyError> {
        Self::parse(include_str!("../../data/taxonomy.toml"))
    }

    /// Reads a taxonomy file.
    pub fn parse(text: &str) -> Result<Self, TaxonomyError> {
        let file: TaxonomyFile = toml::from_str(text)?;
        let mut categories: Vec<CategoryEntry> = Vec::with_capacity(file.category.len());
        for section in file.category {
            let entry = CategoryEntry::try_from(section)?;
            if categories.iter().any(|known| known.name == entry.name) {
                return Err(TaxonomyError::Twice(entry.name));
            }
            categories.push(entry);
        }
        let fallback = file.fallback;
        if !categories.iter().any(|entry| entry.name == fallback) {
            return Err(TaxonomyError::Fallback(fallback));
        }
        Ok(Self { fallback, escalation: file.escalation, categories })
    }

    /// Every category, in the file's order.
    pub fn categories(&self) -> &[CategoryEntry] {
        &self.categories
    }

    /// Where a ticket goes that fits nowhere.
    pub const fn fallback(&self) -> &Category {
        &self.fallback
    }

    /// The category called `name`.
    pub fn category(&self, name: &str) -> Result<Category, NotACategory> {
        self.entry(name)
            .map(|entry| entry.name.clone())
            .ok_or_else(|| NotACategory(name.chars().take(60).collect()))
    }

    /// The team that works `category`; the fallback's team for one that is no longer in the file.
    pub fn team(&self, category: &Category) -> &str {
        self.entry(category.as_str())
            .or_else(|| self.entry(self.fallback.as_str()))
            .map_or(self.fallback.as_str(), |entry| &entry.team)
    }

    /// The teams that take over whatever the category.
    pub const fn escalation(&self) -> &Escalation {
        &self.escalation
    }

    fn entry(&self, name: &str) -> Option<&CategoryEntry> {
        self.categories.iter().find(|entry| entry.name.as_str() == name)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaxonomyFile {
    fallback: Category,
    escalation: Escalation,
    category: Vec<CategorySection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CategorySection {
    name: Category,
    team: String,
    description: String,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    keywords: Vec<KeywordSection>,
    #[serde(default)]
    cues: BTreeMap<Cue, f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeywordSection {
    language: Language,
    weight: f64,
    phrases: Vec<String>,
}

impl TryFrom<CategorySection> for CategoryEntry {
    type Error = TaxonomyError;

    fn try_from(section: CategorySection) -> Result<Self, Self::Error> {
        let CategorySection { name, team, description, examples, keywords, cues } = section;
        let mut weights = keywords.iter().map(|group| group.weight).chain(cues.values().copied());
        if let Some(wrong) = weights.find(|weight| !(weight.is_finite() && *weight > 0.0)) {
            return Err(TaxonomyError::Weight(name, wrong));
        }
        let spread = |group: KeywordSection| {
            let KeywordSection { language, weight, phrases } = group;
            phrases.into_iter().map(move |phrase| Keyword { language, phrase, weight })
        };
        let keywords = keywords.into_iter().flat_map(spread).collect();
        Ok(Self { name, team, description, examples, keywords, cues })
    }
}

/// Why a taxonomy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TaxonomyError {
    /// Not TOML, or not of the expected form.
    #[error("read the taxonomy file")]
    Read(#[from] toml::de::Error),
    /// A name stands twice.
    #[error("category {0} stands twice in the taxonomy")]
    Twice(Category),
    /// The fallback is not in the list.
    #[error("the taxonomy's fallback {0} is none of its categories")]
    Fallback(Category),
    /// A weight is not above zero.
    #[error("category {0} has words of weight {1}; a weight must be above zero")]
    Weight(Category, f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        fallback = "other"
        escalation = { security = "s", legal = "l" }
        [[category]]
        name = "other"
        team = "front"
        description = "Anything."
        [[category.keywords]]
        language = "en"
        weight = 2.0
        phrases = ["hello", "help*"]
    "#;

    #[test]
    fn the_built_in_taxonomy_has_the_six_categories_in_six_languages() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let names: Vec<_> = taxonomy.categories().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["billing", "technical", "account", "order", "feature_request", "general"]);
        for entry in taxonomy.categories() {
            for language in
                [Language::EN, Language::DE, Language::ES, Language::FR, Language::PT, Language::VI]
            {
                let spoken = entry.keywords.iter().any(|keyword| keyword.language == language);
                assert!(spoken, "{} has no words in {language}", entry.name);
            }
        }
    }

    #[test]
    fn an_own_taxonomy_replaces_the_built_in_one() {
        let taxonomy = Taxonomy::parse(SMALL).unwrap();
        assert_eq!(taxonomy.categories()[0].keywords.len(), 2);
        assert_eq!(taxonomy.category("other").unwrap().as_str(), "other");
        assert!(taxonomy.category("billing").is_err());
        assert_eq!(taxonomy.team(&Category::parse("gone").unwrap()), "front");
    }

    #[test]
    fn faults_are_named() {
        let fault = |from: &str, to: &str| Taxonomy::parse(&SMALL.replace(from, to)).unwrap_err().to_string();
        assert!(fault("fallback = \"other\"", "fallback = \"lost\"").contains("lost"));
        assert!(fault("weight = 2.0", "weight = -1.0").contains("-1"));
        assert!(fault("name = \"other\"", "name = \"Other!\"").contains("read"));
        assert!(Taxonomy::parse(&SMALL.replace("team =", "crew =")).is_err());
    }
}
