//! Owns the name that a reply greets: the one a letter is signed with, or that its writer gives. What may be something
//! else is none: a reply that greets nobody is better than one that greets the wrong words.

use super::super::{
    OfflineError,
    text::{Words, fold},
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use ticketflow_tickets::language::Language;

/// Words of a name at most.
const MOST_WORDS: usize = 4;
/// Characters of a name at most.
const LONGEST: usize = 40;
/// What may stand around a name.
const MARKS: [char; 10] = [',', '.', '!', ':', ';', '-', '–', '—', '*', '_'];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameFile {
    introduction: BTreeMap<Language, Vec<String>>,
    closing: BTreeMap<Language, Vec<String>>,
    nobody: Nobody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nobody {
    words: HashSet<String>,
}

/// Knows how customers name themselves. A name is looked for in whatever language: letters end in two.
#[derive(Debug)]
pub(in super::super) struct Names {
    introductions: Vec<String>,
    /// The same with a blank around each, as they stand in a line of words.
    introductions_within: Vec<String>,
    /// Longest first: "thanks again" is no "thanks" signed "again".
    closings: Vec<String>,
    nobody: HashSet<String>,
}

impl Names {
    /// Reads the phrases that come with the program.
    pub(in super::super) fn load() -> Result<Self, OfflineError> {
        let file: NameFile = toml::from_str(include_str!("../../../../data/names.toml"))?;
        let folded = |lists: BTreeMap<Language, Vec<String>>| {
            let mut phrases: Vec<String> =
                lists.values().flatten().map(|phrase| Words::of(phrase).line().trim().to_owned()).collect();
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
            phrases
        };
        let introductions = folded(file.introduction);
        Ok(Self {
            introductions_within: introductions.iter().map(|phrase| format!(" {phrase} ")).collect(),
            introductions,
            closings: folded(file.closing),
            nobody: file.nobody.words,
        })
    }

    /// The name of who wrote `letter`, whose words are `words`, if it says so.
    pub(super) fn of(&self, letter: &str, words: &Words) -> Option<String> {
        self.signed(letter).or_else(|| self.introduced(letter, words))
    }

    /// The name below the last closing, or behind it when nothing follows.
    fn signed(&self, letter: &str) -> Option<String> {
        let lines: Vec<&str> = letter.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let (at, rest) = lines
            .iter()
            .enumerate()
            .rev()
            .take(MOST_WORDS)
            .find_map(|(at, line)| Some((at, after_phrase(&self.closings, line)?)))?;
        match lines.get(at + 1) {
            Some(below) if rest.is_empty() => self.name(below.split([',', '(', '|']).next()?),
            None if !rest.is_empty() => self.name(&rest),
            Some(_) | None => None,
        }
    }

    /// The words in capitals after "my name is".
    fn introduced(&self, letter: &str, words: &Words) -> Option<String> {
        // Few letters hold one, and looking at every word of a long one costs more than all else that is drafted.
        if !self.introductions_within.iter().any(|phrase| words.line().contains(phrase.as_str())) {
            return None;
        }
        let tokens: Vec<&str> = letter.split_whitespace().collect();
        (0..tokens.len()).find_map(|start| {
            let line = tokens[start..].iter().take(8).copied().collect::<Vec<_>>().join(" ");
            let rest = after_phrase(&self.introductions, &line)?;
            let mut words = Vec::new();
            for word in rest.split_whitespace().take(MOST_WORDS) {
                let capital = word.starts_with(char::is_uppercase);
                words.extend(capital.then_some(word));
                if !capital || word.ends_with(MARKS) {
                    break;
                }
            }
            self.name(&words.join(" "))
        })
    }

    fn name(&self, text: &str) -> Option<String> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || MARKS.contains(&c));
        let words: Vec<&str> = text.split_whitespace().collect();
        let fits = (1..=MOST_WORDS).contains(&words.len()) && text.chars().count() <= LONGEST;
        let known = |word: &&str| self.nobody.contains(fold(word).trim());
        let named = fits && words.iter().all(|word| is_name(word)) && !words.iter().any(known);
        named.then(|| words.join(" "))
    }
}

/// What follows in `line` on the phrase it begins with.
fn after_phrase(phrases: &[String], line: &str) -> Option<String> {
    let words = Words::of(line);
    let line_words = words.line().trim_start();
    let phrase = phrases.iter().find(|phrase| {
        line_words.strip_prefix(phrase.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })?;
    // Told in words, since folding may change how long they are; an apostrophe or hyphen splits none of the text's.
    let mut rest = line;
    let mut taken = 0;
    while taken < phrase.split(' ').count() {
        let (word, after) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest, ""));
        taken += Words::of(word).len().max(1);
        rest = after;
    }
    Some(rest.trim_matches(|c: char| c.is_whitespace() || MARKS.contains(&c)).to_owned())
}

/// A capital, then small letters, as in `Anne-Marie`, `O'Neill` or `J.`; all in capitals is no name but shouting.
fn is_name(word: &str) -> bool {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let others = word.chars().all(|c| c.is_alphabetic() || ['-', '\'', '’', '.'].contains(&c));
    let initial = letters.len() == 1 && word.ends_with('.');
    let spelled = letters.len() >= 2 && letters[1..].iter().any(|c| c.is_lowercase());
    others && letters.first().is_some_and(|c| c.is_uppercase()) && (initial || spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(letter: &str) -> Option<String> {
        Names::load().unwrap().of(letter, &Words::of(letter))
    }

    #[test]
    fn a_letters_signature_names_its_writer() {
        for (letter, expected) in [
            ("Where is it?\n\nKind regards,\nJane Roe", "Jane Roe"),
            ("Where is it?\nThanks, Tom", "Tom"),
            ("Wo ist es?\n\nMit freundlichen Grüßen\nAnne-Marie Müller\nEinkauf", "Anne-Marie Müller"),
            ("¿Dónde está?\nUn saludo,\nMaría José Ruiz", "María José Ruiz"),
            ("Où est-il ?\nBien cordialement,\nZoé O'Neill, Dupont SARL", "Zoé O'Neill"),
            ("Onde está?\nObrigada!\nBeatriz", "Beatriz"),
            ("Đơn hàng ở đâu?\nTrân trọng,\nNguyễn Thị Lan", "Nguyễn Thị Lan"),
        ] {
            assert_eq!(name(letter).as_deref(), Some(expected), "{letter}");
        }
    }

    #[test]
    fn who_gives_a_name_is_called_by_it() {
        for (letter, expected) in [
            ("Hello, my name is Alison Gibson and my parcel is lost.", "Alison Gibson"),
            ("Mein Name ist Jonas. Ich warte.", "Jonas"),
            ("Bonjour, je m'appelle Luc Martin, et", "Luc Martin"),
            ("Xin chào, tôi tên là Minh.", "Minh"),
        ] {
            assert_eq!(name(letter).as_deref(), Some(expected), "{letter}");
        }
    }

    #[test]
    fn what_may_be_something_else_is_no_name() {
        for letter in [
            "Regards,\nthe office",
            "Mit freundlichen Grüßen\nEine langjährige Kundin",
            "Kind regards,\na customer of many years",
            "Thanks for looking into it",
            "Thanks in advance",
            "My name is spelled wrong on the invoice.",
            "Best,\nACME LTD",
            "Best regards,\nCustomer Support",
            "Thanks\nSent from my iPhone",
            "Thank you\nOrder 48213",
            "Hello Lindsay, where is my order?",
            "",
        ] {
            assert_eq!(name(letter), None, "{letter}");
        }
    }
}
