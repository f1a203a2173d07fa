//! Tickets, for support teams: hand in one or many, list, look at one, change one.

pub(crate) mod batch;
pub(crate) mod edit;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod submit;
mod wait;
