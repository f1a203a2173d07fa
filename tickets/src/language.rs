//! Owns [`Language`], the ISO 639-1 code of a text's language.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Two lower-case ASCII letters: an ISO 639-1 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language([char; 2]);

impl Language {
    /// German.
    pub const DE: Self = Self(['d', 'e']);
    /// English: also what a text counts as whose language cannot be told.
    pub const EN: Self = Self(['e', 'n']);
    /// Spanish.
    pub const ES: Self = Self(['e', 's']);
    /// French.
    pub const FR: Self = Self(['f', 'r']);
    /// Portuguese.
    pub const PT: Self = Self(['p', 't']);
    /// Vietnamese.
    pub const VI: Self = Self(['v', 'i']);

    /// Reads a code such as `en`.
    pub fn parse(code: &str) -> Result<Self, NotALanguage> {
        let mut letters = code.chars();
        match (letters.next(), letters.next(), letters.next()) {
            (Some(first), Some(second), None)
                if first.is_ascii_lowercase() && second.is_ascii_lowercase() =>
            {
                Ok(Self([first, second]))
            }
            _ => Err(NotALanguage(code.chars().take(40).collect())),
        }
    }

    /// The code, as `en`.
    pub fn code(self) -> String {
        self.0.iter().collect()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0[0], self.0[1])
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({self})")
    }
}

impl TryFrom<String> for Language {
    type Error = NotALanguage;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::parse(&code)
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.code()
    }
}

/// The text is no ISO 639-1 code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a two-letter ISO 639-1 code in lower case")]
pub struct NotALanguage(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_two_lower_case_letters() {
        assert_eq!(Language::parse("de"), Ok(Language::DE));
        for wrong in ["", "d", "deu", "DE", "d1", "pt-BR", "dé"] {
            assert!(Language::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_string(&Language::PT).unwrap(), "\"pt\"");
        assert_eq!(serde_json::from_str::<Language>("\"vi\"").unwrap(), Language::VI);
        assert!(serde_json::from_str::<Language>("\"english\"").is_err());
    }
}
