//! Owns what can keep the offline provider from starting: a word list or template that cannot be read.

use super::{EmbeddingError, WeightsError, text::PhraseError};

/// A list that the provider works from cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A file is not TOML, or not of the expected form.
    #[error("read a word list")]
    List(#[from] toml::de::Error),
    /// A phrase is malformed.
    #[error("read a phrase")]
    Phrase(#[from] PhraseError),
    /// The table of word vectors is malformed.
    #[error("read the word vectors")]
    Embeddings(#[source] &'static EmbeddingError),
    /// The weights of the categories are malformed.
    #[error("read the weights of the categories")]
    Weights(#[from] WeightsError),
    /// A template is malformed.
    #[error("compile a template")]
    Template(#[from] minijinja::Error),
    /// A pattern is malformed.
    #[error("compile a pattern")]
    Pattern(#[from] regex::Error),
}
