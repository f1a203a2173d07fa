//! Owns the words that speak for each category, and counts them.

use super::{CategoryScore, descriptions::Descriptions, probabilities, spelling::Spelling};
use crate::provider::offline::{
    OfflineError,
    extract::Traces,
    reading::Reading,
    text::{PhraseBook, Words},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};
use ticketflow_tickets::{
    language::Language,
    taxonomy::{CategoryEntry, Cue, Taxonomy},
};

/// What a word counts more for standing in the subject.
const IN_SUBJECT: f64 = 2.0;
/// What a word counts for that was only understood after correcting its spelling.
const CORRECTED: f64 = 0.7;
/// What a foreign ticket's English words count.
const BORROWED: f64 = 0.6;

#[derive(Debug)]
struct Vote {
    category: usize,
    weight: f64,
    /// The phrase as reasons show it.
    shown: String,
}

/// The categories' words.
#[derive(Debug)]
pub(super) struct Lexicon {
    categories: Vec<CategoryEntry>,
    phrases: PhraseBook<Vote>,
    spelling: HashMap<Language, Spelling>,
    descriptions: Descriptions,
}

/// Weights so far, by category and word. Ordered, so that the sums of two runs agree to the last bit.
type Tally<'a> = Vec<BTreeMap<Cow<'a, str>, f64>>;

impl Lexicon {
    /// Reads the words of `taxonomy`.
    pub(super) fn of(taxonomy: &Taxonomy) -> Result<Self, OfflineError> {
        let categories = taxonomy.categories().to_vec();
        let mut phrases = PhraseBook::default();
        let mut languages = HashSet::from([Language::EN]);
        for (category, entry) in categories.iter().enumerate() {
            for keyword in &entry.keywords {
                let shown = format!("“{}”", keyword.phrase.replace('*', "…"));
                let vote = Vote { category, weight: keyword.weight, shown };
                phrases.add(keyword.language, &keyword.phrase, vote)?;
                languages.insert(keyword.language);
            }
        }
        let known = |language: Language| phrases.of(language).single_words().map(|(word, _)| word);
        let spelling =
            languages.into_iter().map(|language| (language, Spelling::of(known(language)))).collect();
        let descriptions = Descriptions::of(&categories);
        Ok(Self { categories, phrases, spelling, descriptions })
    }

    /// How much speaks for each category, in the taxonomy's order.
    pub(super) fn scores(&self, reading: &Reading, traces: Traces) -> Vec<CategoryScore> {
        let mut tally: Tally<'_> = vec![BTreeMap::new(); self.categories.len()];
        self.count(&mut tally, reading.language, &reading.subject_words, IN_SUBJECT);
        self.count(&mut tally, reading.language, &reading.own_words, 1.0);
        let likeness = self.descriptions.likeness(&reading.words);
        for ((words, entry), likeness) in tally.iter_mut().zip(&self.categories).zip(likeness) {
            for (cue, weight) in entry.cues.iter().filter(|(cue, _)| traces.hold(**cue)) {
                words.insert(cue.as_str().replace('_', " ").into(), *weight);
            }
            if likeness > 0.0 {
                words.insert("likeness to the description".into(), likeness);
            }
        }
        let sums: Vec<f64> = tally.iter().map(|words| words.values().sum()).collect();
        let shares = probabilities(&sums);
        let rows = self.categories.iter().zip(tally).zip(sums.into_iter().zip(shares));
        rows.map(|((entry, words), (score, probability))| CategoryScore {
            category: entry.name.clone(),
            score,
            probability,
            words: ranked(words),
        })
        .collect()
    }

    /// Adds the phrases in `words`. At each place the longest phrase counts; a phrase that comes again counts less.
    fn count<'a>(&'a self, tally: &mut Tally<'a>, language: Language, words: &Words, factor: f64) {
        let corrected = self.corrected(language, words);
        let own = self.phrases.of(language).matches(&corrected).into_iter().map(|place| (place, 1.0));
        let borrowed = if language == Language::EN {
            Vec::new()
        } else {
            self.phrases.of(Language::EN).matches(&corrected)
        };
        let mut places: Vec<_> = own.chain(borrowed.into_iter().map(|place| (place, BORROWED))).collect();
        places.sort_by_key(|(place, _)| (std::cmp::Reverse(place.end - place.start), place.start));
        // By word: how long the phrase is that stands there.
        let mut taken = vec![0; words.len()];
        let mut seen: HashMap<(&str, usize), i32> = HashMap::new();
        for (place, share) in places {
            let length = place.end - place.start;
            let taken = &mut taken[place.start..place.end];
            if taken.iter().any(|other| *other > length) {
                continue;
            }
            taken.fill(length);
            let times = seen.entry((place.phrase, place.value.category)).or_default();
            let doubted =
                if corrected.word(place.start) == words.word(place.start) { 1.0 } else { CORRECTED };
            let weight = place.value.weight * factor * share * doubted * 0.4_f64.powi(*times);
            *times += 1;
            *tally[place.value.category].entry(place.value.shown.as_str().into()).or_default() += weight;
        }
    }

    fn corrected<'a>(&self, language: Language, words: &'a Words) -> Cow<'a, Words> {
        match self.spelling.get(&language).or_else(|| self.spelling.get(&Language::EN)) {
            Some(spelling) => words.mended(|word| spelling.correct(word)),
            None => Cow::Borrowed(words),
        }
    }
}

impl Traces {
    const fn hold(self, cue: Cue) -> bool {
        let count = match cue {
            Cue::OrderId => self.orders,
            Cue::InvoiceId => self.invoices,
            Cue::Amount => self.amounts,
            Cue::ErrorCode => self.error_codes,
            Cue::Version => self.versions,
        };
        count > 0
    }
}

/// The words by weight, most first; equal ones by name, so that two runs agree.
fn ranked(words: BTreeMap<Cow<'_, str>, f64>) -> Vec<String> {
    let mut words: Vec<_> = words.into_iter().collect();
    words.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    words.into_iter().map(|(word, _)| word.into_owned()).collect()
}
