//! What a ticket can be about and how pressing it can be.

mod category;
mod file;
mod priority;

pub use category::{Category, NotACategory};
pub use file::{CategoryEntry, Cue, Escalation, Keyword, Taxonomy, TaxonomyError};
pub use priority::Priority;
