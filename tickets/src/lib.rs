//! The support-desk domain: what a ticket, a category, an article and a triage result are, and the tables that hold
//! them.
//!
//! Everything is parsed at the edge into a type that cannot be wrong; from there on nobody checks it again. The SQL on
//! the tables `tickets`, `approvals`, `articles` and of models stands here and nowhere else.

pub mod approval;
mod clean;
pub mod distribution;
pub mod knowledge;
pub mod language;
pub mod model;
pub mod observe;
pub mod projection;
pub mod submit;
pub mod taxonomy;
pub mod ticket;
pub mod triage;
mod word;

pub use projection::TicketProjection;

/// The tables of this crate; the engine's come first.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/tickets");
