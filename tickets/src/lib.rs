//! The support-desk domain: what a ticket, a category, an article and a triage result are.
//!
//! Everything is parsed at the edge into a type that cannot be wrong; from there on nobody checks it again.

pub mod knowledge;
pub mod language;
pub mod taxonomy;
pub mod ticket;
pub mod triage;
mod word;
