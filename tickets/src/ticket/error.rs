//! Owns what is said about a field that does not parse.

use crate::word::closed_words;
use serde::{Deserialize, Serialize};

closed_words! {
    /// Why a field was refused.
    FieldErrorCode {
        /// The field is missing or null.
        Required => "required",
        /// The field holds another JSON type than it should.
        WrongType => "wrong_type",
        /// Nothing visible is left of the text.
        Blank => "blank",
        /// More characters than allowed.
        TooLong => "too_long",
        /// NUL or another control character.
        InvalidCharacter => "invalid_character",
        /// Not one of the allowed words.
        UnknownWord => "unknown_word",
        /// More bytes than allowed.
        TooLarge => "too_large",
        /// Nested deeper than allowed.
        TooDeep => "too_deep",
        /// No field of that name exists.
        UnknownField => "unknown_field",
    }
}

/// One thing that is wrong with a request's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field.
    pub pointer: String,
    /// For programs.
    pub code: FieldErrorCode,
    /// For people.
    pub detail: String,
}

impl FieldError {
    /// Says what is wrong with the top-level field `field`.
    pub(super) fn at(field: &str, code: FieldErrorCode, detail: impl Into<String>) -> Self {
        let escaped = field.replace('~', "~0").replace('/', "~1");
        Self { pointer: format!("/{escaped}"), code, detail: detail.into() }
    }

    /// Says what is wrong with the body as a whole.
    pub(super) fn whole(code: FieldErrorCode, detail: &str) -> Self {
        Self { pointer: String::new(), code, detail: detail.to_owned() }
    }
}
