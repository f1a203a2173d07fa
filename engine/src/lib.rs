//! A durable workflow engine on PostgreSQL.
//!
//! A *workflow* is a list of typed [`Step`]s. A *run* of it is a row in `live_runs` and an append-only, hash-chained
//! log in `run_events`; the checkpoint of a step is its `step_completed` event. Workers claim runs with
//! `SKIP LOCKED`, advance them without holding a transaction open, and write results in group commits that are
//! fenced by the run's epoch.
//!
//! The engine reads no environment variable, speaks no HTTP and knows nothing of what its workflows are about.

pub mod around;
pub mod audit;
pub mod catalog;
pub mod chain;
pub mod client;
pub mod clock;
pub mod committer;
pub mod error;
pub mod event;
pub mod executor;
pub mod fence;
pub mod graph;
pub mod history;
pub mod id;
mod live_row;
pub mod loan;
pub mod observe;
pub mod pooler;
pub mod projection;
pub mod reaper;
pub mod retention;
pub mod retry;
pub mod scheduler;
pub mod status;
pub mod step;
pub mod store;
pub mod topology;
pub mod transition;
pub mod wakeup;
pub mod wire;
pub mod workflow;

pub use around::Around;
pub use catalog::Catalog;
pub use client::Client;
pub use clock::Clock;
pub use error::{ControlError, DefinitionError, StoreError};
pub use id::{Actor, Bucket, DefinitionId, Epoch, RunId, Seq, StepName, WorkerId};
pub use projection::{Change, Projection};
pub use retry::{Backoff, StepPolicy};
pub use step::{Step, StepContext, StepError, StepOutcome};
pub use topology::Topology;
pub use transition::Arrival;
pub use wire::{input, maybe, output};
pub use workflow::Definition;

/// The engine's own tables. Applications that bring tables of their own run both.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/engine");
