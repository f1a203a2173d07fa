//! Owns the sentences that ask for something, in the customer's words.

use super::super::{
    OfflineError,
    reading::Reading,
    text::{PhraseBook, Words, sentences},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use ticketflow_tickets::language::Language;

/// Most asks of one ticket.
const MOST: usize = 8;
/// Longest ask, in characters.
const LONGEST: usize = 400;
/// Words a question has at least, so that a lone "right?" is none.
const FEWEST_WORDS: usize = 2;
/// What somebody else's words stand in.
const QUOTES: [char; 6] = ['"', '“', '”', '„', '«', '»'];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskFile {
    request: BTreeMap<Language, Vec<String>>,
    courtesy: BTreeMap<Language, Vec<String>>,
}

/// Phrases that make a sentence a request, or only look as if they did.
#[derive(Debug)]
pub(super) struct Asks {
    request: PhraseBook<()>,
    courtesy: PhraseBook<()>,
}

impl Asks {
    pub(super) fn load() -> Result<Self, OfflineError> {
        let file: AskFile = toml::from_str(include_str!("../../../../data/asks.toml"))?;
        Ok(Self {
            request: PhraseBook::of_lists(file.request)?,
            courtesy: PhraseBook::of_lists(file.courtesy)?,
        })
    }

    /// The asks of the customer's own passages; of the subject when the body has none.
    pub(super) fn find(&self, reading: &Reading) -> Vec<String> {
        let own = self.among(reading.language, &reading.own);
        if own.is_empty() { self.among(reading.language, &reading.subject) } else { own }
    }

    fn among(&self, language: Language, text: &str) -> Vec<String> {
        let mut questions: Vec<(usize, &str)> = Vec::new();
        let mut requests: Vec<(usize, &str)> = Vec::new();
        for range in sentences(text) {
            let sentence = &text[range.clone()];
            let words = Words::of(sentence);
            let says_much = words.len() >= FEWEST_WORDS && sentence.chars().count() <= LONGEST;
            if !says_much || self.courtesy.occur_in(language, &words) {
                continue;
            }
            if sentence.trim_end_matches(['"', '”', '»', ')', '\'', '!']).ends_with(['?', '？']) {
                questions.push((range.start, sentence));
            } else if self.is_request(language, sentence, &words) {
                requests.push((range.start, sentence));
            }
        }
        requests.truncate(MOST.saturating_sub(questions.len()));
        questions.truncate(MOST);
        questions.append(&mut requests);
        questions.sort_unstable();
        questions.into_iter().map(|(_, ask)| ask.to_owned()).collect()
    }

    /// Somebody else's words ask for nothing.
    fn is_request(&self, language: Language, sentence: &str, words: &Words) -> bool {
        if sentence.contains(QUOTES) {
            self.request.occur_in(language, &Words::of(&without_quotes(sentence)))
        } else {
            self.request.occur_in(language, words)
        }
    }
}

fn without_quotes(sentence: &str) -> String {
    let parts = sentence.split(QUOTES);
    parts
        .enumerate()
        .filter(|(number, _)| number % 2 == 0)
        .map(|(_, part)| part)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(language: Language, text: &str) -> Vec<String> {
        Asks::load().unwrap().among(language, text)
    }

    #[test]
    fn questions_and_requests_are_asks_in_their_order() {
        let text = "My label is missing. Please send it again. It is late. When will it come?";
        assert_eq!(asks(Language::EN, text), ["Please send it again.", "When will it come?"]);
        assert_eq!(
            asks(Language::DE, "Ich bitte Sie, den Betrag zu erstatten. Danke."),
            ["Ich bitte Sie, den Betrag zu erstatten."]
        );
        assert_eq!(
            asks(Language::FR, "Merci de m'envoyer la facture. Veuillez agréer mes salutations.").len(),
            1
        );
    }

    #[test]
    fn courtesies_ask_for_nothing() {
        assert!(asks(Language::EN, "Hello, how are you? Thank you in advance.").is_empty());
        assert!(asks(Language::PT, "Olá, tudo bem?").is_empty());
        assert!(asks(Language::EN, "You wrote \"please wait for 5 days\" and I did.").is_empty());
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(asks(Language::EN, &"What is this thing? ".repeat(50)).len(), MOST);
    }
}
