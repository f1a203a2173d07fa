//! Owns the three texts of a ticket. Each is NFC, trimmed, visible, within its length and free of control characters.

use super::error::{FieldError, FieldErrorCode};
use serde::{Deserialize, Serialize};
use std::fmt;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Brings `raw` into the form it is kept in, or says why it may not be kept.
fn tidy(field: &str, raw: &str, max_chars: usize, allowed: &[char]) -> Result<String, FieldError> {
    if let Some(control) = raw.chars().find(|c| c.is_control() && !allowed.contains(c)) {
        let detail = format!("must not contain the control character U+{:04X}", u32::from(control));
        return Err(FieldError::at(field, FieldErrorCode::InvalidCharacter, detail));
    }
    let text = nfc(raw.trim());
    if text.chars().all(is_invisible) {
        return Err(FieldError::at(field, FieldErrorCode::Blank, "must not be blank"));
    }
    let length = text.chars().count();
    if length > max_chars {
        let detail = format!("must have at most {max_chars} characters, has {length}");
        return Err(FieldError::at(field, FieldErrorCode::TooLong, detail));
    }
    Ok(text)
}

/// Every step reads the text anew, which is in this form already.
fn nfc(text: &str) -> String {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes { text.to_owned() } else { text.nfc().collect() }
}

/// White space, or one of the characters that take no room: a text of these alone is blank.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{00AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}')
}

macro_rules! ticket_text {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Most characters it may have.
            pub const MAX_CHARS: usize = $max;

            /// Normalises to NFC, trims, and refuses what is blank, too long or carries control characters.
            pub fn parse(raw: &str) -> Result<Self, FieldError> {
                tidy($field, raw, Self::MAX_CHARS, &$allowed).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = FieldError;

            fn try_from(raw: String) -> Result<Self, Self::Error> {
                Self::parse(&raw)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}

ticket_text! {
    /// Subject line, 1 to 500 characters.
    Subject, "subject", 500, ['\n', '\r', '\t']
}

ticket_text! {
    /// The customer's message, 1 to 10,000 characters.
    Body, "body", 10_000, ['\n', '\r', '\t']
}

ticket_text! {
    /// What the shop calls the customer, 1 to 100 characters on one line.
    CustomerId, "customer_id", 100, []
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(parsed: Result<T, FieldError>) -> Option<FieldErrorCode> {
        parsed.err().map(|error| error.code)
    }

    #[test]
    fn text_is_trimmed_and_normalised() {
        assert_eq!(Subject::parse("  Cafe\u{301}\n").unwrap().as_str(), "Café");
        assert_eq!(Body::parse("a\r\n\tb").unwrap().as_str(), "a\r\n\tb");
    }

    #[test]
    fn blank_text_is_refused_even_when_it_only_looks_blank() {
        for blank in ["", " \n\t", "\u{200B}\u{FEFF}", "\u{00A0}"] {
            assert_eq!(code(Subject::parse(blank)), Some(FieldErrorCode::Blank), "{blank:?}");
        }
    }

    #[test]
    fn length_counts_characters_after_normalisation() {
        assert!(Subject::parse(&"e\u{301}".repeat(500)).is_ok());
        assert_eq!(code(Subject::parse(&"x".repeat(501))), Some(FieldErrorCode::TooLong));
        assert!(Body::parse(&"ß".repeat(10_000)).is_ok());
        assert_eq!(code(CustomerId::parse(&"x".repeat(101))), Some(FieldErrorCode::TooLong));
    }

    #[test]
    fn control_characters_are_refused() {
        for control in ["a\0b", "a\u{1b}b", "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(code(Body::parse(control)), Some(FieldErrorCode::InvalidCharacter), "{control:?}");
        }
        assert_eq!(code(CustomerId::parse("a\nb")), Some(FieldErrorCode::InvalidCharacter));
    }

    #[test]
    fn stored_text_is_parsed_again() {
        assert!(serde_json::from_str::<Subject>("\" \"").is_err());
        assert_eq!(serde_json::to_string(&Subject::parse("hi").unwrap()).unwrap(), "\"hi\"");
    }
}
