//! The offline provider from outside: tickets in, drafts and decisions out.

mod desk;
mod injections;
mod messages;
mod phrasings;
mod properties;
mod revisions;
mod samples;
mod speed;
