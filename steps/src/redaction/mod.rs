//! Owns what of a text must not leave: addresses, telephone, card and account numbers, secrets. Each is replaced by a
//! placeholder such as `[EMAIL_1]` before a text goes to somebody else's model, and put back into what that answers.
//!
//! It is applied at one place: where a request to a model is put together, to every message of it, and to its answer.
//! Within a request the same value has the same placeholder. A text that cannot be redacted so that it can be restored
//! letter by letter is an error, and then no request is made. Order and invoice numbers, amounts and names stay: a model
//! cannot answer without them.
//!
//! Nothing here reads a clock, a file or the network.

mod finder;
mod kind;
mod numbers;
mod secrets;
mod vault;

pub use kind::Kind;
pub use vault::{Redaction, RedactionError};

use finder::Finder;

/// Finds what must not leave. Compiled once, shared by all requests.
#[derive(Debug)]
pub struct Redactor {
    finder: Finder,
}

/// The redactor's patterns do not compile.
#[derive(Debug, thiserror::Error)]
#[error("compile the patterns of the redaction")]
pub struct RedactorError(#[from] crate::provider::offline::OfflineError);

impl Redactor {
    /// Compiles the patterns.
    pub fn load() -> Result<Self, RedactorError> {
        Ok(Self { finder: Finder::load()? })
    }

    /// Begins a request, which has placeholders of its own.
    pub fn begin(&self) -> Redaction<'_> {
        Redaction::new(&self.finder)
    }
}
