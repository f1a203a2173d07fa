//! Owns what can be set about the workflows, and what can be wrong with it.

use sqlx::PgPool;
use ticketflow_engine::DefinitionError;
use ticketflow_steps::{
    TriagePolicy,
    provider::{
        model::{ModelError, ModelSettings},
        offline::{OfflineError, Weights},
    },
};
use ticketflow_tickets::taxonomy::{Taxonomy, TaxonomyError};

/// Settings of the triage of tickets.
#[derive(Debug, Clone)]
pub struct TriageSettings {
    /// For the steps' own reads.
    pub pool: PgPool,
    /// The categories; none: those that come with the program.
    pub taxonomy: Option<Taxonomy>,
    /// What was learnt from the site's own tickets; none: what comes with the program.
    pub weights: Option<Weights>,
    /// What may be said, what a person must decide, and by when.
    pub policy: TriagePolicy,
    /// Which steps ask which model; none of them unless told otherwise.
    pub models: ModelSettings,
}

impl TriageSettings {
    /// The defaults, on this pool.
    pub fn new(pool: PgPool) -> Self {
        let (policy, models) = (TriagePolicy::default(), ModelSettings::default());
        Self { pool, taxonomy: None, weights: None, policy, models }
    }
}

/// Why there is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The categories cannot be used.
    #[error("the taxonomy cannot be used")]
    Taxonomy(#[from] TaxonomyError),
    /// Word lists, weights or templates cannot be read.
    #[error("the offline provider cannot start")]
    Offline(#[from] OfflineError),
    /// The models cannot be asked.
    #[error("the models cannot be asked")]
    Models(#[from] ModelError),
    /// A workflow does not fit together.
    #[error("a workflow does not fit together")]
    Definition(#[from] DefinitionError),
}

pub(crate) fn built_in_taxonomy() -> Result<Taxonomy, CatalogError> {
    Ok(Taxonomy::built_in()?)
}
