//! Owns one reading of a ticket: who says what, in which language, in which words. Every rule starts from it.

use super::{
    language::LanguageFinder,
    text::{InstructionWords, Token, tokens},
};
use ticketflow_tickets::{language::Language, ticket::NewTicket};

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
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// Subject line; empty when it addresses the program.
    pub(super) subject: String,
    /// The customer's own passages of the body.
    pub(super) own: String,
    /// What the customer quotes.
    pub(super) quoted: String,
    /// What addresses the program.
    pub(super) instructions: Vec<String>,
    /// Words of the subject.
    pub(super) subject_words: Vec<Token>,
    /// Words of the customer's own passages.
    pub(super) own_words: Vec<Token>,
    /// Language of subject and own passages.
    pub(super) language: Language,
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
        let (subject_words, own_words) = (tokens(&subject.own), tokens(&body.own));
        let all: Vec<Token> = subject_words.iter().chain(&own_words).cloned().collect();
        let language = languages.language(&format!("{}\n{}", subject.own, body.own), &all);
        let addressed = subject.instructions.into_iter().chain(body.instructions).collect();
        Self {
            subject: subject.own,
            own: body.own,
            quoted: body.quoted,
            instructions: addressed,
            subject_words,
            own_words,
            language,
        }
    }

    /// Subject and own passages, as one text.
    pub(super) fn text(&self) -> String {
        format!("{}\n\n{}", self.subject, self.own)
    }

    /// Words of subject and own passages; no sentence reaches from one into the other.
    pub(super) fn words(&self) -> Vec<Token> {
        let beyond = self.subject_words.last().map_or(0, |word| word.sentence + 1);
        let shift = |word: &Token| Token { sentence: word.sentence + beyond, ..word.clone() };
        self.subject_words.iter().cloned().chain(self.own_words.iter().map(shift)).collect()
    }
}
