//! Owns the language of a text: frequent words for short texts, trigrams (whatlang) for long ones, and English when
//! neither can tell. Never guesses a language outside its list.

use super::{
    OfflineError,
    text::{Content, Words},
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use ticketflow_tickets::language::Language;
use whatlang::{Detector, Lang};

/// Languages that are told apart, with their ISO 639-1 codes.
const KNOWN: [(Lang, &str); 20] = [
    (Lang::Eng, "en"),
    (Lang::Deu, "de"),
    (Lang::Spa, "es"),
    (Lang::Fra, "fr"),
    (Lang::Por, "pt"),
    (Lang::Ita, "it"),
    (Lang::Nld, "nl"),
    (Lang::Vie, "vi"),
    (Lang::Pol, "pl"),
    (Lang::Swe, "sv"),
    (Lang::Dan, "da"),
    (Lang::Tur, "tr"),
    (Lang::Rus, "ru"),
    (Lang::Ukr, "uk"),
    (Lang::Cmn, "zh"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
    (Lang::Ara, "ar"),
    (Lang::Hin, "hi"),
    (Lang::Tha, "th"),
];

/// Letters from which on trigrams say more than chance.
const ENOUGH_LETTERS: usize = 24;

/// Tells languages apart.
#[derive(Debug)]
pub(super) struct LanguageFinder {
    words: HashMap<String, Vec<Language>>,
    /// Letters that only one language has; none is ASCII.
    letters: HashMap<char, Language>,
    detector: Detector,
}

#[derive(Deserialize)]
struct StopwordFile {
    letters: BTreeMap<Language, String>,
    #[serde(flatten)]
    words: BTreeMap<Language, Vec<String>>,
}

impl LanguageFinder {
    /// Reads the word lists that come with the program.
    pub(super) fn load() -> Result<Self, OfflineError> {
        let file: StopwordFile = toml::from_str(include_str!("../../../data/stopwords.toml"))?;
        let mut words: HashMap<String, Vec<Language>> = HashMap::new();
        for (language, list) in file.words {
            for word in list {
                words.entry(word).or_default().push(language);
            }
        }
        let spread = |(language, letters): (Language, String)| {
            letters.chars().filter(|c| !c.is_ascii()).map(move |c| (c, language)).collect::<Vec<_>>()
        };
        let letters = file.letters.into_iter().flat_map(spread).collect();
        let detector = Detector::with_allowlist(KNOWN.iter().map(|(lang, _)| *lang).collect());
        Ok(Self { words, letters, detector })
    }

    /// The language of `text`, whose words are `words`.
    pub(super) fn language(&self, text: &str, words: &Words) -> Language {
        let votes = self.votes(text, words);
        let (best, votes_best) = votes.first().copied().unwrap_or((Language::EN, 0.0));
        let votes_next = votes.get(1).map_or(0.0, |(_, votes)| *votes);
        let is_clear = votes_best >= 2.0 && votes_best >= 1.4 * votes_next;
        let is_dense = votes_best >= 0.12 * precise(words.len());
        if is_clear && is_dense {
            return best;
        }
        match self.by_trigrams(text) {
            Some((language, true)) => language,
            Some((language, false)) if votes_best < 1.0 || language == best => language,
            Some(_) | None if votes_best > votes_next => best,
            Some(_) | None => Language::EN,
        }
    }

    /// The content of `text`: its words but for those that are frequent in some language.
    pub(super) fn content(&self, text: &str) -> Content {
        self.content_of(Words::of(text))
    }

    /// The content of `words`.
    pub(super) fn content_of(&self, words: Words) -> Content {
        Content::of(words, |word| self.words.contains_key(word))
    }

    /// Languages by how many frequent words and letters speak for them, most first. A word that several languages share
    /// counts for each, but less.
    fn votes(&self, text: &str, words: &Words) -> Vec<(Language, f64)> {
        let mut votes: BTreeMap<Language, f64> = BTreeMap::new();
        for languages in words.iter().filter_map(|word| self.words.get(word)) {
            for language in languages {
                *votes.entry(*language).or_default() += 1.0 / precise(languages.len()).sqrt();
            }
        }
        let letters = text.chars().filter(|c| !c.is_ascii()).flat_map(char::to_lowercase);
        for language in letters.filter_map(|c| self.letters.get(&c)) {
            *votes.entry(*language).or_default() += 0.5;
        }
        let mut votes: Vec<_> = votes.into_iter().collect();
        votes.sort_by(|left, right| right.1.total_cmp(&left.1));
        votes
    }

    /// The language the trigrams speak for, and whether they are sure.
    fn by_trigrams(&self, text: &str) -> Option<(Language, bool)> {
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let info = self.detector.detect(text)?;
        let (_, code) = KNOWN.iter().find(|(lang, _)| *lang == info.lang())?;
        let enough = letters >= ENOUGH_LETTERS || (letters >= 2 && !text.chars().any(is_latin));
        let language = Language::parse(code).ok().filter(|_| enough)?;
        Some((language, info.is_reliable()))
    }
}

fn is_latin(c: char) -> bool {
    c.is_alphabetic() && u32::from(c) < 0x0250
}

#[expect(clippy::cast_precision_loss, reason = "counts of words, far below 2^52")]
const fn precise(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        LanguageFinder::load().unwrap().language(text, &Words::of(text)).code()
    }

    #[test]
    fn short_texts_are_told_apart() {
        for (text, expected) in [
            ("where is my order?", "en"),
            ("wo ist meine Bestellung?", "de"),
            ("¿dónde está mi pedido?", "es"),
            ("où est ma commande ?", "fr"),
            ("onde está o meu pedido?", "pt"),
            ("Đơn hàng của tôi đâu rồi?", "vi"),
            ("dov'è il mio ordine? non è ancora arrivato", "it"),
            ("waar is mijn bestelling?", "nl"),
            ("где мой заказ?", "ru"),
            ("注文した商品がまだ届いていません", "ja"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_english() {
        for text in ["", "?", "12345", "ERR_TIMEOUT_77", "📦😡❓", "ok", "iPhone"] {
            assert_eq!(code(text), "en", "{text:?}");
        }
    }

    #[test]
    fn foreign_names_and_error_texts_do_not_mislead() {
        assert_eq!(
            code("Seit dem Update erscheint \"Something went wrong, please try again\" und die App hängt."),
            "de"
        );
        assert_eq!(
            code("The café sign-in says \"Passwort falsch\" when I try to log in, what does it mean?"),
            "en"
        );
    }
}
