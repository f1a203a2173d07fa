//! What a step makes of a database that does not answer.

use ticketflow_engine::{StepError, StoreError};

/// Out of reach: try again. Anything else would fail again in the same way.
pub(crate) fn database(error: StoreError) -> StepError {
    let failed = if error.is_transient() {
        StepError::retry("database_unavailable", "the database did not answer")
    } else {
        StepError::fail("database_refused", error.to_string())
    };
    failed.caused_by(error)
}
