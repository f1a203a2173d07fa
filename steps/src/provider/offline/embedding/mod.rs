//! Owns the meaning of English texts as vectors: a table of token vectors, summed and normalised. No network, no model
//! at run time, microseconds a text.
//!
//! The table comes with the program (`data/embeddings`, whose README says how it was made) and is read where it lies in
//! the binary. Texts in other languages get vectors too, but those say little.

mod vector;
mod vocabulary;

pub use vector::{DIMENSIONS, Vector};

use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::sync::LazyLock;
use vocabulary::Vocabulary;

static TABLE: &[u8] = include_bytes!("../../../../data/embeddings/model.safetensors");
static VOCABULARY: &[u8] = include_bytes!("../../../../data/embeddings/tokenizer.json");

static SHARED: LazyLock<Result<Embedder, EmbeddingError>> =
    LazyLock::new(|| Embedder::read(TABLE, VOCABULARY));

/// Turns texts into vectors.
#[derive(Debug)]
pub struct Embedder {
    vocabulary: Vocabulary,
    /// A row of components for each token, one after the other.
    rows: &'static [u8],
    /// What the components of each token are multiplied by: its rarity and the scale of its row.
    weights: Vec<f32>,
}

impl Embedder {
    /// The one that comes with the program; read when it is first asked for, which takes milliseconds.
    ///
    /// # Errors
    /// If the files in the binary do not fit together.
    pub fn shared() -> Result<&'static Self, &'static EmbeddingError> {
        SHARED.as_ref()
    }

    fn read(table: &'static [u8], vocabulary: &[u8]) -> Result<Self, EmbeddingError> {
        let vocabulary = Vocabulary::read(vocabulary).map_err(EmbeddingError::Vocabulary)?;
        let tensors = SafeTensors::deserialize(table).map_err(EmbeddingError::Table)?;
        let rows = tensors.tensor("embeddings").map_err(EmbeddingError::Table)?;
        let weights = tensors.tensor("weights").map_err(EmbeddingError::Table)?;
        let tokens = vocabulary.len();
        if rows.dtype() != Dtype::I8 || rows.shape() != [tokens, DIMENSIONS] {
            return Err(EmbeddingError::Shape("embeddings"));
        }
        if weights.dtype() != Dtype::F32 || weights.shape() != [tokens] {
            return Err(EmbeddingError::Shape("weights"));
        }
        let (weights, _) = weights.data().as_chunks::<4>();
        Ok(Self {
            vocabulary,
            rows: rows.data(),
            weights: weights.iter().copied().map(f32::from_le_bytes).collect(),
        })
    }

    /// The meaning of `text`, of length 1; [no signal](Vector::is_silent) when it has no known word.
    pub fn embed(&self, text: &str) -> Vector {
        let mut sum = [0.0; DIMENSIONS];
        self.vocabulary.tokens(text, |token| self.add(&mut sum, token));
        Vector::normalised(sum)
    }

    fn add(&self, sum: &mut [f32; DIMENSIONS], token: usize) {
        let weight = self.weights[token];
        let row = &self.rows[token * DIMENSIONS..(token + 1) * DIMENSIONS];
        for (sum, component) in sum.iter_mut().zip(row) {
            *sum += weight * f32::from(component.cast_signed());
        }
    }
}

/// Why the table of embeddings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingError {
    /// The list of tokens is not of the expected form.
    #[error("read the vocabulary of the embeddings")]
    Vocabulary(#[source] serde_json::Error),
    /// The table is not of the expected form.
    #[error("read the table of the embeddings")]
    Table(#[source] SafeTensorError),
    /// The table does not fit the list of tokens.
    #[error("{0} in the table of the embeddings have another type or shape than the vocabulary asks for")]
    Shape(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        text: String,
        ids: Vec<usize>,
        vector_first8: Vec<f32>,
    }

    fn golden() -> Vec<Golden> {
        serde_json::from_str(include_str!("../../../../data/embeddings/golden.json")).unwrap()
    }

    #[test]
    fn tokens_and_vectors_are_those_of_the_tables_makers() {
        let embedder = Embedder::shared().unwrap();
        for Golden { text, ids, vector_first8 } in golden() {
            let mut tokens = Vec::new();
            embedder.vocabulary.tokens(&text, |token| tokens.push(token));
            assert_eq!(tokens, ids, "{text}");
            let vector = embedder.embed(&text);
            for (own, theirs) in vector.components().iter().zip(vector_first8) {
                assert!((own - theirs).abs() < 2e-5, "{text}: {own} {theirs}");
            }
        }
    }

    #[test]
    fn texts_of_like_meaning_are_near_without_a_word_in_common() {
        let embedder = Embedder::shared().unwrap();
        let likeness = |one: &str, other: &str| embedder.embed(one).dot(&embedder.embed(other));
        let near = likeness("My parcel never arrived", "Where is the package you shipped?");
        let far = likeness("My parcel never arrived", "How can I reset a password?");
        assert!(near > far + 0.2, "{near} {far}");
        assert!((likeness("invoice", "invoice") - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_text_without_known_words_is_silent() {
        let embedder = Embedder::shared().unwrap();
        for text in ["", " \n\t", "注文した商品", "где заказ", "\u{200b}\u{0}"] {
            assert!(embedder.embed(text).is_silent(), "{text:?}");
        }
        assert!(!embedder.embed("order").is_silent());
    }

    #[test]
    fn a_table_that_does_not_fit_its_vocabulary_is_refused() {
        let short = br#"{"model":{"vocab":{"[PAD]":0,"[UNK]":1,"a":2}}}"#;
        let error = Embedder::read(TABLE, short).unwrap_err();
        assert!(error.to_string().starts_with("embeddings in the table"), "{error}");
        assert!(matches!(Embedder::read(b"nothing", VOCABULARY), Err(EmbeddingError::Table(_))));
        assert!(matches!(Embedder::read(TABLE, b"nothing"), Err(EmbeddingError::Vocabulary(_))));
    }
}
