//! Owns how the notes of a review change the next draft: each code takes away what can have caused it.

use std::collections::BTreeSet;
use ticketflow_tickets::triage::ViolationCode;

/// What was wrong with the last draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Style(BTreeSet<ViolationCode>);

impl Style {
    /// Reads notes of the form `code: detail`; notes of another form are for people.
    pub(super) fn of(notes: &[String]) -> Self {
        Self(notes.iter().filter_map(|note| ViolationCode::parse(note.split(':').next()?.trim())).collect())
    }

    /// Whether the ticket's words and numbers may be shown.
    pub(super) fn repeats(&self) -> bool {
        self.free_of(&[
            ViolationCode::ForeignPersonalData,
            ViolationCode::CardNumber,
            ViolationCode::ForeignLink,
            ViolationCode::Placeholder,
            ViolationCode::RepeatedInstruction,
            ViolationCode::Tone,
        ])
    }

    /// Whether facts and answers from articles may be shown, and not only summary and steps.
    pub(super) fn states_facts(&self) -> bool {
        self.free_of(&[ViolationCode::UnsupportedPromise])
    }

    /// Whether an article in another language than the customer's may be shown.
    pub(super) fn shows_foreign_articles(&self) -> bool {
        self.free_of(&[ViolationCode::WrongLanguage])
    }

    /// Whether what could be left out may be shown as well.
    pub(super) fn is_full(&self) -> bool {
        self.free_of(&[ViolationCode::TooLong])
    }

    fn free_of(&self, codes: &[ViolationCode]) -> bool {
        codes.iter().all(|code| !self.0.contains(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_take_away_what_they_name() {
        let notes = ["foreign_link: https://x.example".to_owned(), "a person has to look".to_owned()];
        let style = Style::of(&notes);
        assert!(
            !style.repeats() && style.states_facts() && style.shows_foreign_articles() && style.is_full()
        );
        assert!(Style::of(&[]).repeats());
    }
}
