//! The embedded default: where the user names no database, a private PostgreSQL is found, initialised, started, kept
//! alive and stopped for them. Everything it has lies in one data directory; one process at a time owns that.
#![expect(dead_code, reason = "not yet put together")]

mod advice;
mod binaries;
mod cluster;
mod download;
mod endpoint;
mod error;
mod layout;
mod lock;
mod postmaster;
mod settings;
mod user;
