//! Owns the customer's mood: a lexicon, turned by negation, raised by stress (after Hutto and Gilbert, "VADER", 2014).
//!
//! Reads tone, not matter: a broken lamp described calmly stays near the middle.

use super::{
    OfflineError,
    text::{PhraseBook, PhraseError, Words},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use ticketflow_tickets::{language::Language, triage::Sentiment};

/// How far before a word a negation, or a word of degree, reaches.
const REACH: usize = 3;
/// What a negation leaves of a word's weight, with the sign turned.
const NEGATED: f64 = -0.6;
/// What a word of degree adds or takes.
const DEGREE: f64 = 0.6;
/// What capitals add.
const SHOUTED: f64 = 0.7;
/// What praise counts: letters are politer than their writers.
const POLITE: f64 = 0.75;
/// The sum of weights at which the scale is three quarters used up.
const SPREAD: f64 = 24.0;

type Lists = BTreeMap<Language, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoodFile {
    negators: Lists,
    intensifiers: Lists,
    dampeners: Lists,
    group: Vec<MoodGroup>,
}

#[derive(Deserialize)]
struct MoodGroup {
    weight: f64,
    #[serde(flatten)]
    words: Lists,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shade {
    Mood(f64),
    Negation,
    More,
    Less,
}

/// Words that tell a mood.
#[derive(Debug)]
pub(super) struct MoodWords {
    shades: PhraseBook<Shade>,
}

impl MoodWords {
    /// Reads the lexicon that comes with the program.
    pub(super) fn load() -> Result<Self, OfflineError> {
        let file: MoodFile = toml::from_str(include_str!("../../../data/sentiment.toml"))?;
        let mut shades = PhraseBook::default();
        add(&mut shades, file.negators, Shade::Negation)?;
        add(&mut shades, file.intensifiers, Shade::More)?;
        add(&mut shades, file.dampeners, Shade::Less)?;
        for group in file.group {
            add(&mut shades, group.words, Shade::Mood(group.weight))?;
        }
        Ok(Self { shades })
    }

    /// The mood of `text` in `language`, whose words are `words`.
    pub(super) fn sentiment(&self, language: Language, text: &str, words: &Words) -> Sentiment {
        let shouting = is_shouting(words);
        let sum = self.sum(language, words, shouting);
        let marks = text.chars().filter(|c| matches!(c, '!' | '！')).take(4).map(|_| 0.3).sum::<f64>();
        let faces: f64 = text.chars().map(face).sum();
        let stress = if shouting { -3.0 } else { 0.0 };
        let total = sum + sum.signum() * marks + faces + stress;
        let compound = total / total.mul_add(total, SPREAD).sqrt();
        to_scale(compound)
    }

    fn sum(&self, language: Language, words: &Words, shouting: bool) -> f64 {
        let mut places = self.shades.of(language).matches(words);
        places.sort_by_key(|place| std::cmp::Reverse(place.end - place.start));
        let mut taken = vec![false; words.len()];
        places.retain(|place| (place.start..place.end).all(|at| !std::mem::replace(&mut taken[at], true)));
        let near = |start: usize, shade: Shade| {
            places.iter().any(|place| {
                *place.value == shade
                    && place.end <= start
                    && place.end + REACH > start
                    && words.sentence(place.start) == words.sentence(start)
            })
        };
        let moods = places.iter().filter_map(|place| match place.value {
            Shade::Mood(weight) => Some((place.start, *weight)),
            Shade::Negation | Shade::More | Shade::Less => None,
        });
        let shaded = moods.map(|(start, weight)| {
            let mut strength = weight.abs();
            strength += if near(start, Shade::More) { DEGREE } else { 0.0 };
            strength -= if near(start, Shade::Less) { DEGREE.min(strength / 2.0) } else { 0.0 };
            strength += if words.is_shouted(start) && !shouting { SHOUTED } else { 0.0 };
            strength *= if weight > 0.0 { POLITE } else { 1.0 };
            let turned = if near(start, Shade::Negation) && weight.abs() > 1.0 { NEGATED } else { 1.0 };
            strength * weight.signum() * turned
        });
        shaded.sum()
    }
}

fn add(book: &mut PhraseBook<Shade>, words: Lists, shade: Shade) -> Result<(), PhraseError> {
    for (language, phrases) in words {
        for phrase in phrases {
            book.add(language, &phrase, shade)?;
        }
    }
    Ok(())
}

/// More than half of at least five words are in capitals.
fn is_shouting(words: &Words) -> bool {
    let shouted = words.shouted();
    shouted >= 5 && shouted * 2 > words.len()
}

fn face(c: char) -> f64 {
    match c {
        '😡' | '🤬' => -2.5,
        '😠' | '😤' | '💔' | '😭' => -1.5,
        '😞' | '🙁' | '😢' | '👎' => -1.0,
        '🙂' | '😊' | '👍' | '😀' => 1.0,
        '😍' | '🎉' | '❤' | '🥳' => 2.0,
        _ => 0.0,
    }
}

/// -1 becomes 1, 0 becomes 5, 1 becomes 10.
fn to_scale(compound: f64) -> Sentiment {
    let wide = if compound < 0.0 { 4.0 } else { 5.0 };
    let target = compound.mul_add(wide, 5.0).round();
    let score = (1_u8..=10).find(|score| f64::from(*score) >= target).unwrap_or(10);
    Sentiment::parse(score).unwrap_or(Sentiment::NEUTRAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(language: Language, text: &str) -> u8 {
        MoodWords::load().unwrap().sentiment(language, text, &Words::of(text)).get()
    }

    #[test]
    fn the_scale_runs_from_fury_to_delight() {
        let fury = score(Language::EN, "This is outrageous, you are thieves! Worst company ever!!!");
        let calm = score(Language::EN, "Which plan includes the export?");
        let delight = score(Language::EN, "Your team is wonderful, I love the lamp. Excellent service!");
        assert!(fury <= 2, "{fury}");
        assert_eq!(calm, 5);
        assert!(delight >= 8, "{delight}");
    }

    #[test]
    fn negation_turns_and_degree_raises() {
        let good = score(Language::EN, "The service is good and the staff is helpful");
        let not_good = score(Language::EN, "The service is not good and the staff is not helpful");
        assert!(not_good < 5 && good > 5, "{not_good} {good}");
        assert!(
            score(Language::DE, "Ich bin sehr enttäuscht, sehr schlecht")
                <= score(Language::DE, "Ich bin enttäuscht, schlecht")
        );
    }

    #[test]
    fn faces_and_marks_tell_a_mood_without_words() {
        assert_eq!(score(Language::EN, "Order 1234"), 5);
        assert!(score(Language::EN, "Order 1234 😡🤬") <= 3);
        assert!(score(Language::EN, "Order 1234 😍🎉") >= 7);
        assert!(
            score(Language::EN, "This is terrible!!!") <= score(Language::EN, "This is terrible")
                && score(Language::EN, "This is slightly bad")
                    >= score(Language::EN, "This is extremely bad")
        );
    }

    #[test]
    fn capitals_count_as_shouting() {
        assert!(score(Language::EN, "I WANT THE MONEY BACK ON MY CARD NOW") <= 3);
        assert_eq!(score(Language::EN, "I want the money back on my card now"), 5);
    }

    #[test]
    fn every_language_of_the_templates_has_a_scale() {
        for (language, bad, good) in [
            (
                Language::DE,
                "Das ist eine Frechheit, ich bin wütend!",
                "Der Service ist hervorragend, ich bin begeistert!",
            ),
            (Language::ES, "¡Es una estafa, una vergüenza!", "El servicio es excelente, me encanta"),
            (
                Language::FR,
                "C'est une arnaque, c'est inacceptable !",
                "Le service est excellent, je suis ravie",
            ),
            (Language::PT, "Isto é uma vergonha, um absurdo!", "O atendimento é excelente, adoro a loja"),
            (
                Language::VI,
                "Thật là lừa đảo, tôi rất bức xúc!",
                "Dịch vụ tuyệt vời, tôi rất hài lòng, cảm ơn!",
            ),
        ] {
            assert!(score(language, bad) <= 3, "{bad}: {}", score(language, bad));
            assert!(score(language, good) >= 7, "{good}: {}", score(language, good));
        }
    }
}
