//! Owns one reading of a ticket: who says what, in which language, in which words. Every rule starts from it.

use super::{
    extract::Named,
    language::LanguageFinder,
    text::{InstructionWords, Words},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use ticketflow_tickets::{language::Language, ticket::NewTicket};

/// Readings that are kept.
const KEPT: usize = 1_024;

/// What a customer wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Subject line.
    pub subject: &'a str,
    /// Body.
    pub body: &'a str,
}

impl<'a> From<&'a NewTicket> for Message<'a> {
    fn from(ticket: &'a NewTicket) -> Self {
        Self { subject: ticket.subject.as_str(), body: ticket.body.as_str() }
    }
}

/// A message, read.
#[derive(Debug)]
pub(super) struct Reading {
    /// Subject line; empty when it addresses the program.
    pub(super) subject: String,
    /// The customer's own passages of the body.
    pub(super) own: String,
    /// What the customer quotes.
    pub(super) quoted: String,
    /// What addresses the program.
    pub(super) instructions: Vec<String>,
    /// Subject and own passages, as one text.
    pub(super) text: String,
    /// Words of the subject.
    pub(super) subject_words: Words,
    /// Words of the customer's own passages.
    pub(super) own_words: Words,
    /// Words of subject and own passages; no sentence reaches from one into the other.
    pub(super) words: Words,
    /// Language of subject and own passages.
    pub(super) language: Language,
    /// What subject and own passages name, once somebody has looked.
    pub(super) named: OnceLock<Named>,
}

/// What was read last: the steps of a ticket read it one after the other.
#[derive(Debug, Default)]
pub(super) struct Readings {
    kept: Mutex<HashMap<(String, String), Arc<Reading>>>,
}

impl Readings {
    /// The reading of `message`: the one that is kept, or what `read` makes of it.
    pub(super) fn of(&self, message: Message<'_>, read: impl FnOnce() -> Reading) -> Arc<Reading> {
        let key = (message.subject.to_owned(), message.body.to_owned());
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return kept.clone();
        }
        let reading = Arc::new(read());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, reading.clone());
        reading
    }
}

impl Reading {
    /// Reads `message`.
    pub(super) fn of(
        message: Message<'_>,
        instructions: &InstructionWords,
        languages: &LanguageFinder,
    ) -> Self {
        let subject = instructions.passages(message.subject);
        let body = instructions.passages(message.body);
        let (subject_words, own_words) = (Words::of(&subject.own), Words::of(&body.own));
        let words = Words::joined(&[&subject_words, &own_words]);
        Self {
            language: languages.language(&format!("{}\n{}", subject.own, body.own), &words),
            text: format!("{}\n\n{}", subject.own, body.own),
            subject: subject.own,
            own: body.own,
            quoted: body.quoted,
            instructions: subject.instructions.into_iter().chain(body.instructions).collect(),
            subject_words,
            own_words,
            words,
            named: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_once_as_long_as_it_is_kept() {
        let (instructions, languages) = (InstructionWords::load().unwrap(), LanguageFinder::load().unwrap());
        let readings = Readings::default();
        let mut read = 0;
        let mut of = |body: &str| {
            let message = Message { subject: "Invoice", body };
            readings.of(message, || {
                read += 1;
                Reading::of(message, &instructions, &languages)
            })
        };
        assert_eq!(
            (of("Where is it?").own.clone(), of("Who is it?").own.clone()),
            ("Where is it?".into(), "Who is it?".into())
        );
        assert_eq!(of("Where is it?").own, "Where is it?");
        for number in 0..=KEPT {
            of(&number.to_string());
        }
        of("Where is it?");
        assert_eq!(read, 2 + KEPT + 1 + 1);
        assert!(readings.kept.lock().unwrap().len() <= KEPT);
    }
}
