//! Owns the output of the step `review`.

use super::measure::Fraction;
use crate::word::closed_words;
use serde::{Deserialize, Serialize};

/// What was found wrong with a draft, and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// What follows.
    pub verdict: Verdict,
    /// How good the draft is.
    pub score: Fraction,
    /// What to change, and why a person must look; for people and for the next draft.
    pub notes: Vec<String>,
    /// What the draft must not say or lacks.
    pub policy_violations: Vec<PolicyViolation>,
}

closed_words! {
    /// What follows from a review.
    Verdict {
        /// The draft may go on.
        Approve => "approve",
        /// Draft again, with the notes.
        Revise => "revise",
        /// A person decides.
        Human => "human",
    }
}

/// One thing that is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyViolation {
    /// For programs.
    pub code: ViolationCode,
    /// For people.
    pub detail: String,
}

closed_words! {
    /// What can be wrong with a draft.
    ViolationCode {
        /// A question of the customer is neither answered nor taken up.
        UnansweredAsk => "unanswered_ask",
        /// Money, a date or a guarantee is promised that no article backs.
        UnsupportedPromise => "unsupported_promise",
        /// An address, number or id that is neither in the ticket nor in an article.
        ForeignPersonalData => "foreign_personal_data",
        /// A full card number.
        CardNumber => "card_number",
        /// Rude, shouting or blaming.
        Tone => "tone",
        /// Too short to help.
        TooShort => "too_short",
        /// Too long to be read.
        TooLong => "too_long",
        /// A link to a place that is not on the list.
        ForeignLink => "foreign_link",
        /// A placeholder was not filled.
        Placeholder => "placeholder",
        /// Written in another language than the customer's.
        WrongLanguage => "wrong_language",
        /// An article is cited that research did not find.
        UnknownCitation => "unknown_citation",
        /// Text is repeated that tried to instruct the program.
        RepeatedInstruction => "repeated_instruction",
    }
}
