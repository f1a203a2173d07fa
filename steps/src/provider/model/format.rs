//! How an answer's form is asked for: a ladder. A model that refuses a rung is asked by the next one from then on.

use std::sync::atomic::{AtomicU8, Ordering};

/// A rung of the ladder, the strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The server keeps the model to the schema.
    JsonSchema,
    /// The server keeps the model to JSON; the schema stands in the prompt.
    JsonObject,
    /// The prompt alone asks for JSON of the schema.
    Prompt,
}

impl Format {
    /// The word for it, in the configuration and in accounts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::JsonSchema => "json_schema",
            Self::JsonObject => "json_object",
            Self::Prompt => "prompt",
        }
    }

    /// The format of that name.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::JsonSchema, Self::JsonObject, Self::Prompt].into_iter().find(|format| format.word() == word)
    }

    /// The next rung; none below the last.
    pub(super) const fn below(self) -> Option<Self> {
        match self {
            Self::JsonSchema => Some(Self::JsonObject),
            Self::JsonObject => Some(Self::Prompt),
            Self::Prompt => None,
        }
    }
}

/// The highest rung that a model is known to take.
#[derive(Debug)]
pub(super) struct Ladder(AtomicU8);

impl Ladder {
    pub(super) const fn from(format: Format) -> Self {
        Self(AtomicU8::new(format as u8))
    }

    pub(super) fn rung(&self) -> Format {
        match self.0.load(Ordering::Relaxed) {
            0 => Format::JsonSchema,
            1 => Format::JsonObject,
            _ => Format::Prompt,
        }
    }

    /// Remembers that `format` was answered after those above it were refused.
    pub(super) fn step_down_to(&self, format: Format) {
        self.0.fetch_max(format as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_only_leads_down() {
        let ladder = Ladder::from(Format::JsonSchema);
        for (to, rung) in [
            (Format::JsonObject, Format::JsonObject),
            (Format::JsonSchema, Format::JsonObject),
            (Format::Prompt, Format::Prompt),
        ] {
            ladder.step_down_to(to);
            assert_eq!(ladder.rung(), rung);
        }
    }

    #[test]
    fn every_word_leads_back_to_its_format() {
        for format in [Format::JsonSchema, Format::JsonObject, Format::Prompt] {
            assert_eq!(Format::parse(format.word()), Some(format));
        }
        assert_eq!(Format::parse("xml"), None);
    }
}
