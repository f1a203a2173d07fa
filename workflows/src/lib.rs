//! The workflows, and [`catalog`], the only list of them.

pub mod models;
mod settings;
mod ticket_triage;

pub use settings::{CatalogError, TriageSettings};

/// What the triage of tickets can be told.
pub mod triage {
    pub use ticketflow_steps::{
        Actions, TriagePolicy,
        action::{ActionError, SecretError},
        provider::offline::{ApprovalPolicy, ApprovalRule, Catalogue, CatalogueError, CategoryApproval},
    };
}

use ticketflow_engine::Catalog;
use ticketflow_steps::{Triage, provider::offline::Offline};

/// Every workflow that a process can enqueue and run.
///
/// # Errors
/// If what the offline provider works from cannot be read, or a workflow does not fit together.
pub fn catalog(settings: TriageSettings) -> Result<Catalog, CatalogError> {
    let TriageSettings { pool, taxonomy, weights, policy, models } = settings;
    let taxonomy = taxonomy.map_or_else(settings::built_in_taxonomy, Ok)?;
    let offline = match weights {
        Some(weights) => Offline::with_weights(taxonomy, weights),
        None => Offline::new(taxonomy),
    }?;
    let triage = Triage::new(offline, policy, &models, pool)?;
    Ok(Catalog::new([ticket_triage::definition(&triage)?])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::postgres::PgPoolOptions;
    use ticketflow_engine::StepName;

    #[tokio::test]
    async fn every_workflow_fits_together() {
        let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@localhost/nothing").unwrap();
        let catalog = catalog(TriageSettings::new(pool)).unwrap();
        let triage = catalog.latest(ticketflow_tickets::triage::WORKFLOW).unwrap();
        assert_eq!(triage.step_names(), "classify, extract, research, draft, review, finalize");
        let review = triage.step(&StepName::new("review")).unwrap();
        assert_eq!((review.jumps[0].target.as_str(), review.jumps[0].limit), ("draft", 2));
    }
}
