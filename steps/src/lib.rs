//! The six steps of ticket triage and the providers behind them.
//!
//! classify → extract → research → draft → review → finalize. Each is one file; [`Triage`] is what they share.

pub mod action;
pub mod classify;
pub mod draft;
pub mod extract;
mod failure;
pub mod finalize;
mod knowledge;
mod mentions;
pub mod observe;
pub mod provider;
pub mod redaction;
pub mod research;
mod retry_after;
pub mod review;
mod settings;

pub use action::Actions;
pub use classify::Classify;
pub use draft::Draft;
pub use extract::Extract;
pub use finalize::Finalize;
pub use research::Research;
pub use review::Review;
pub use settings::{Triage, TriagePolicy};
