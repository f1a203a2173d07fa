//! The offline provider: rules, word lists and templates. Pure and deterministic: no network, no clock, no randomness.
//!
//! Ticket text is evidence, never instruction: what addresses the program is set aside before any rule looks at it.

mod classify;
mod error;
mod extract;
mod language;
mod priority;
mod reading;
mod sentiment;
mod text;

pub use classify::CategoryScore;
pub use error::OfflineError;
pub use reading::Message;
pub use text::PhraseError;

use classify::{Classifier, Lexicon};
use extract::Extractor;
use language::LanguageFinder;
use priority::PriorityRules;
use reading::Reading;
use sentiment::MoodWords;
use text::InstructionWords;
use ticketflow_tickets::{
    taxonomy::{Category, Taxonomy},
    triage::{Classification, Extraction},
};

/// Everything the offline steps know, read once.
#[derive(Debug)]
pub struct Offline {
    taxonomy: Taxonomy,
    instructions: InstructionWords,
    languages: LanguageFinder,
    lexicon: Lexicon,
    rules: PriorityRules,
    moods: MoodWords,
    extractor: Extractor,
}

impl Offline {
    /// Reads the word lists that come with the program, and the words of `taxonomy`.
    pub fn new(taxonomy: Taxonomy) -> Result<Self, OfflineError> {
        Ok(Self {
            instructions: InstructionWords::load()?,
            languages: LanguageFinder::load()?,
            lexicon: Lexicon::of(&taxonomy)?,
            rules: PriorityRules::load()?,
            moods: MoodWords::load()?,
            extractor: Extractor::load()?,
            taxonomy,
        })
    }

    /// Category, priority, mood and language of a message.
    pub fn classify(&self, message: Message<'_>) -> Classification {
        let reading = self.read(message);
        let classifier = Classifier {
            taxonomy: &self.taxonomy,
            lexicon: &self.lexicon,
            rules: &self.rules,
            moods: &self.moods,
        };
        classifier.classify(&reading, self.extractor.traces(&reading))
    }

    /// How much speaks for each category, for those who weigh it against other evidence.
    pub fn category_scores(&self, message: Message<'_>) -> Vec<CategoryScore> {
        let reading = self.read(message);
        self.lexicon.scores(&reading, self.extractor.traces(&reading))
    }

    /// What a message of that category names and asks for.
    pub fn extract(&self, message: Message<'_>, category: &Category) -> Extraction {
        self.extractor.extract(&self.read(message), category, &self.rules)
    }

    fn read(&self, message: Message<'_>) -> Reading {
        Reading::of(message, &self.instructions, &self.languages)
    }
}
