//! Checks the engine's invariants on a live database, from one snapshot, without writing.
//!
//! | | invariant |
//! |---|---|
//! | I1 | every acknowledged run is live or has an outcome |
//! | I2 | one checkpoint per execution of a step |
//! | I3 | `seq` is gap-free and the hash chain verifies |
//! | I4 | only legal transitions |
//! | I5 | epochs only grow; no event under a stale epoch |
//! | I6 | one effect per idempotency key: no two checkpoints share one |
//! | I7 | no overlapping leases, and limits count what is leased |
//! | I8 | nothing stuck |
//! | I9 | projections equal the fold of their log |

mod log;
mod rows;

pub use log::{TOMBSTONE, verify_chain};

use crate::{Catalog, error::StoreError, id::RunId, pooler, status::text_enum};
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;

text_enum! {
    /// An invariant.
    Invariant {
        /// Every acknowledged run is live or has an outcome.
        I1 => "I1",
        /// One checkpoint per execution of a step.
        I2 => "I2",
        /// `seq` is gap-free and the hash chain verifies.
        I3 => "I3",
        /// Only legal transitions.
        I4 => "I4",
        /// Epochs only grow.
        I5 => "I5",
        /// One effect per idempotency key.
        I6 => "I6",
        /// No overlapping leases.
        I7 => "I7",
        /// Nothing stuck.
        I8 => "I8",
        /// Projections equal the fold of their log.
        I9 => "I9",
    }
}

impl Invariant {
    /// What it says.
    pub const fn statement(self) -> &'static str {
        match self {
            Self::I1 => "every acknowledged run is live or has an outcome",
            Self::I2 => "one checkpoint per execution of a step",
            Self::I3 => "the log is gap-free and its hash chain verifies",
            Self::I4 => "only legal transitions",
            Self::I5 => "epochs only grow; no event under a stale epoch",
            Self::I6 => "no two checkpoints share an idempotency key",
            Self::I7 => "no overlapping leases, and limits count what is leased",
            Self::I8 => "nothing is stuck",
            Self::I9 => "projections equal the fold of their log",
        }
    }
}

/// Something that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// In which run, if in one.
    pub run: Option<RunId>,
    /// How.
    pub detail: String,
}

/// What an audit found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Runs checked.
    pub runs: u64,
    /// Events checked.
    pub events: u64,
    /// What is wrong; empty is clean.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether every invariant holds.
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    fn add(&mut self, invariant: Invariant, run: Option<RunId>, detail: impl Into<String>) {
        self.violations.push(Violation { invariant, run, detail: detail.into() });
    }
}

/// What counts as stuck.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// A ready run that a live worker could take but has not for this long.
    pub unclaimed: Duration,
    /// A run whose worker's lease ended this long ago.
    pub unreaped: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { unclaimed: Duration::from_hours(1), unreaped: Duration::from_mins(1) }
    }
}

/// Checks everything.
///
/// # Errors
/// If the database is out of reach. A broken invariant is not an error but a [`Violation`].
pub async fn audit(
    connection: &mut PgConnection,
    catalog: &Catalog,
    bounds: Bounds,
) -> Result<Report, StoreError> {
    let mut transaction =
        pooler::begin_snapshot(connection).await.map_err(StoreError::database("begin an audit"))?;
    let mut report = Report::default();
    rows::check(&mut transaction, bounds, &mut report).await?;
    log::check(&mut transaction, catalog, &mut report).await?;
    transaction.rollback().await.map_err(StoreError::database("end an audit"))?;
    Ok(report)
}
