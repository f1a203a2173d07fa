//! Subcommands, one file each. Those that act on tickets and runs speak HTTP; those that look after the installation
//! use the database.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod fake_llm;
pub(crate) mod healthcheck;
pub(crate) mod kb;
pub(crate) mod migrate;
pub(crate) mod runs;
pub(crate) mod serve;
pub(crate) mod tickets;
pub(crate) mod train;
pub(crate) mod workflow;
