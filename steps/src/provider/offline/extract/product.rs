//! Owns the guess at what a ticket is about: a thing with the name that stands before it, or a part of the service.

use super::super::{
    OfflineError,
    text::{PhraseBook, fold},
};
use crate::provider::offline::reading::Reading;
use serde::Deserialize;
use std::collections::BTreeMap;
use ticketflow_tickets::language::Language;

/// Longest guess, in characters.
const LONGEST: usize = 60;

#[derive(Deserialize)]
struct ProductFile {
    service: BTreeMap<Language, Vec<String>>,
    #[serde(flatten)]
    things: BTreeMap<Language, Vec<String>>,
}

/// Words for things and parts of the service.
#[derive(Debug)]
pub(super) struct Products {
    things: PhraseBook<()>,
    service: PhraseBook<()>,
}

impl Products {
    pub(super) fn load() -> Result<Self, OfflineError> {
        let file: ProductFile = toml::from_str(include_str!("../../../../data/products.toml"))?;
        Ok(Self { things: PhraseBook::of_lists(file.things)?, service: PhraseBook::of_lists(file.service)? })
    }

    /// What a matter of `category` is about: a thing that was ordered, or a part of the service.
    pub(super) fn find(&self, reading: &Reading, category: &str) -> Option<String> {
        let first = |book: &PhraseBook<()>| {
            let places = book.of(reading.language).matches(&reading.words);
            let place = places.iter().min_by_key(|place| (place.start, std::cmp::Reverse(place.end)))?;
            let mut end = place.end;
            while let Some(next) = places.iter().find(|next| next.start == end) {
                end = next.end;
            }
            Some((place.start..end).map(|at| reading.words.word(at)).collect::<Vec<_>>())
        };
        let thing = || first(&self.things).and_then(|thing| with_name(&reading.text, &thing));
        let part = || first(&self.service).and_then(|part| with_name(&reading.text, &part));
        match category {
            "order" | "general" => thing(),
            "account" => None,
            _ => part(),
        }
    }
}

/// Finds the folded words `thing` in `text` and takes up to two capitalised words before them along, letter for letter.
fn with_name(text: &str, thing: &[&str]) -> Option<String> {
    let spans = word_spans(text);
    let is_word = |(start, end): &(usize, usize), word: &str| match &text[*start..*end] {
        plain if plain.is_ascii() => plain.eq_ignore_ascii_case(word),
        accented => fold(accented) == word,
    };
    let at = spans
        .windows(thing.len().max(1))
        .position(|window| window.iter().zip(thing).all(|(span, word)| is_word(span, word)))?;
    let is_name = |place: &usize| {
        let (start, end) = spans[*place];
        let word = &text[start..end];
        let adjoins = text[end..spans[place + 1].0].trim_matches([' ', '-']).is_empty();
        let opens_sentence = text[..start].trim_end().ends_with(['.', '!', '?', ':', '\n']) || start == 0;
        adjoins
            && !opens_sentence
            && word.starts_with(char::is_uppercase)
            && word.chars().nth(1).is_some_and(char::is_lowercase)
    };
    let names = (0..at).rev().take(2).take_while(is_name).count();
    let from = spans[at - names].0;
    let to = spans[at + thing.len() - 1].1;
    let guess = &text[from..to];
    (guess.chars().count() <= LONGEST && !guess.contains('\n')).then(|| guess.to_owned())
}

fn word_spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        match (c.is_alphanumeric(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                spans.push((from, at));
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    spans.extend(start.map(|from| (from, text.len())));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_before_the_thing_belongs_to_it() {
        assert_eq!(with_name("Hi, the Drift kettle from May", &["kettle"]).as_deref(), Some("Drift kettle"));
        assert_eq!(with_name("My lamp", &["lamp"]).as_deref(), Some("lamp"));
        assert_eq!(with_name("since 3 May. Kettle broken", &["kettle"]).as_deref(), Some("Kettle"));
        assert_eq!(with_name("Mi lámpara", &["lampara"]).as_deref(), Some("lámpara"));
        assert_eq!(with_name("nothing", &["lamp"]), None);
    }
}
