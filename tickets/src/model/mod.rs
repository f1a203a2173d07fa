//! What processes share about the models that they ask: breakers, answers that were paid for, what was used.
//!
//! Owns the tables `model_breakers`, `model_answers` and `model_usage`. Knows nothing of protocols and prompts.

pub mod answer;
pub mod breaker;
pub mod usage;

pub use answer::{RequestHash, StoredAnswer};
pub use breaker::{Breaker, BreakerPolicy, Observation};
pub use usage::{ModelStats, Usage};

use ticketflow_engine::StoreError;

/// The largest number of a column for one that does not fit.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Dollars as whole billionths, so that sums do not depend on their order.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and no ticket costs nine billion dollars"
)]
pub fn nanos(dollars: f64) -> i64 {
    (dollars * 1e9).round() as i64
}

/// Billionths of a dollar as dollars.
#[expect(clippy::cast_precision_loss, reason = "exact below nine million dollars")]
pub fn dollars(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

fn corrupt(table: &'static str, column: &'static str, row: String, problem: String) -> StoreError {
    StoreError::Corrupt { table, column, row, problem }
}
