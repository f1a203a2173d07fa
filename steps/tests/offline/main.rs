//! The offline provider from outside: tickets in, drafts and decisions out.
#![expect(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

mod desk;
mod injections;
mod messages;
mod phrasings;
mod properties;
mod revisions;
mod samples;
mod speed;
