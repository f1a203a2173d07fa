//! The offline provider from outside: tickets in, drafts and decisions out.
#![expect(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

mod desk;
mod entities;
mod feature_requests;
mod injections;
mod limits;
mod messages;
mod phrasings;
mod properties;
mod redaction;
mod replies;
mod revisions;
mod samples;
