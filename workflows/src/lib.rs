//! The workflows, and [`catalog`], the only list of them.

mod settings;
mod ticket_triage;

pub use settings::{CatalogError, TriageSettings};

use ticketflow_engine::Catalog;
use ticketflow_steps::Triage;

/// Every workflow that a process can enqueue and run.
///
/// # Errors
/// If what the offline provider works from cannot be read, or a workflow does not fit together.
pub fn catalog(settings: TriageSettings) -> Result<Catalog, CatalogError> {
    let TriageSettings { pool, taxonomy, policy } = settings;
    let triage = Triage::new(taxonomy.map_or_else(settings::built_in_taxonomy, Ok)?, policy, pool)?;
    Ok(Catalog::new([ticket_triage::definition(&triage)?])?)
}
