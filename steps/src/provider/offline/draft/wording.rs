//! Owns the words that the templates are filled with, by language. A language without templates is answered in English.

use crate::provider::offline::OfflineError;
use serde::Deserialize;
use std::collections::BTreeMap;
use ticketflow_tickets::language::Language;

type Words = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WordingFile {
    matter: Words,
    detail: Words,
    need: Words,
    team: Words,
    next: Words,
}

/// The words of one language.
#[derive(Debug)]
pub(in super::super) struct Wording {
    /// The language.
    pub(super) language: Language,
    file: WordingFile,
}

impl Wording {
    /// The matter, as it follows "your message about".
    pub(super) fn matter(&self, issue: &str) -> Option<&str> {
        self.file.matter.get(issue).map(String::as_str)
    }

    /// `value` with the word for its kind: "order 48213".
    pub(super) fn detail(&self, kind: &str, value: &str) -> String {
        self.file.detail.get(kind).map_or_else(|| value.to_owned(), |pattern| pattern.replace('%', value))
    }

    /// What is asked for.
    pub(super) fn need(&self, key: &str) -> Option<String> {
        self.file.need.get(key).cloned()
    }

    /// The team that works `category`.
    pub(super) fn team(&self, category: &str) -> &str {
        self.file.team.get(category).or_else(|| self.file.team.get("general")).map_or("", String::as_str)
    }

    /// What happens next.
    pub(super) fn next(&self, key: &str) -> Option<&str> {
        self.file.next.get(key).map(String::as_str)
    }
}

/// The words of every language.
#[derive(Debug)]
pub(in super::super) struct Wordings {
    english: Wording,
    others: Vec<Wording>,
}

impl Wordings {
    /// Reads the words that come with the program.
    pub(in super::super) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            english: read(Language::EN, include_str!("../../../../templates/en/wording.toml"))?,
            others: vec![
                read(Language::DE, include_str!("../../../../templates/de/wording.toml"))?,
                read(Language::ES, include_str!("../../../../templates/es/wording.toml"))?,
                read(Language::FR, include_str!("../../../../templates/fr/wording.toml"))?,
                read(Language::PT, include_str!("../../../../templates/pt/wording.toml"))?,
                read(Language::VI, include_str!("../../../../templates/vi/wording.toml"))?,
            ],
        })
    }

    /// The words of `language`, or the English ones.
    pub(in super::super) fn of(&self, language: Language) -> &Wording {
        self.others.iter().find(|wording| wording.language == language).unwrap_or(&self.english)
    }

    /// Whether there are words of `language`.
    pub(in super::super) fn speak(&self, language: Language) -> bool {
        self.of(language).language == language
    }
}

fn read(language: Language, text: &str) -> Result<Wording, OfflineError> {
    Ok(Wording { language, file: toml::from_str(text)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_tickets::triage::IssueType;

    #[test]
    fn every_language_has_words_for_the_same_things() {
        let wordings = Wordings::load().unwrap();
        let keys = |words: &Words| words.keys().cloned().collect::<Vec<_>>();
        for other in &wordings.others {
            let (ours, theirs) = (&wordings.english.file, &other.file);
            assert_eq!(keys(&ours.matter), keys(&theirs.matter), "{}", other.language);
            assert_eq!(keys(&ours.detail), keys(&theirs.detail), "{}", other.language);
            assert_eq!(keys(&ours.need), keys(&theirs.need), "{}", other.language);
            assert_eq!(keys(&ours.team), keys(&theirs.team), "{}", other.language);
            assert_eq!(keys(&ours.next), keys(&theirs.next), "{}", other.language);
        }
    }

    #[test]
    fn every_matter_but_the_plain_question_has_words() {
        let wordings = Wordings::load().unwrap();
        for issue in IssueType::ALL {
            let worded = wordings.english.matter(issue.as_str()).is_some();
            assert_eq!(worded, *issue != IssueType::Question, "{issue}");
        }
    }
}
