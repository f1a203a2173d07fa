//! How text is cut up and compared: without case, without accents, word by word, sentence by sentence.

mod content;
mod disguise;
mod fold;
mod passages;
mod phrase;
mod sentence;
mod token;

pub(super) use content::{Content, stem};
pub(super) use fold::fold;
pub(super) use passages::InstructionWords;
pub(super) use phrase::PhraseBook;
pub use phrase::PhraseError;
pub(super) use sentence::sentences;
pub(super) use token::Words;
