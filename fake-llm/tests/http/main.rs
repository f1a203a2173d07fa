//! The fake model over real HTTP: what a client meets in each mode.
#![expect(clippy::unwrap_used, reason = "a test's helper fails by panicking")]

mod answers;
mod client;
mod modes;
mod protocol;
