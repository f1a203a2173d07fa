//! How well tickets are read: labelled files, and the figures that tell.

mod labelled;
mod scores;

pub(crate) use labelled::{Labelled, Reading, parse_rename, read};
pub(crate) use scores::{Guess, Scores, share};
