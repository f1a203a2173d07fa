//! Owns [`Triage`], what the six steps are made from, and [`TriagePolicy`], what people decide about them.

use crate::provider::offline::{Offline, OfflineError, ReviewPolicy, Weights};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use ticketflow_tickets::{
    knowledge::Library,
    taxonomy::{Priority, Taxonomy},
    ticket::Solved,
    triage::{AiAccount, AiStatus, TriageStep},
};

/// What may be said, what a person must decide, and by when.
#[derive(Debug, Clone, PartialEq)]
pub struct TriagePolicy {
    /// What a draft may say, and which a person must decide on.
    pub review: ReviewPolicy,
    /// Time after which an undecided draft is escalated.
    pub approval_deadline: Duration,
}

impl Default for TriagePolicy {
    fn default() -> Self {
        Self { review: ReviewPolicy::default(), approval_deadline: Duration::from_hours(24) }
    }
}

/// What the steps share; clones share it too.
#[derive(Debug, Clone)]
pub struct Triage {
    pub(crate) taxonomy: Arc<Taxonomy>,
    pub(crate) policy: Arc<TriagePolicy>,
    pub(crate) offline: Arc<Offline>,
    pub(crate) pool: PgPool,
    pub(crate) library: Library,
    pub(crate) solved: Solved,
}

impl Triage {
    /// Reads the word lists and templates of the offline provider; `weights` are a site's own.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn new(
        taxonomy: Taxonomy,
        weights: Option<Weights>,
        policy: TriagePolicy,
        pool: PgPool,
    ) -> Result<Self, OfflineError> {
        let weights = weights.map_or_else(Weights::shipped, Ok)?;
        let offline = Offline::with_weights(taxonomy.clone(), weights)?;
        Ok(Self {
            taxonomy: Arc::new(taxonomy),
            policy: Arc::new(policy),
            offline: Arc::new(offline),
            library: Library::new(pool.clone()),
            solved: Solved::new(pool.clone()),
            pool,
        })
    }
}

/// The account of a result that the offline rules made.
pub(crate) fn offline_account(step: TriageStep) -> AiAccount {
    AiAccount {
        ai_status: AiStatus::Done,
        provider: "offline".to_owned(),
        model: "rules".to_owned(),
        prompt_version: format!("{step}@{}", env!("CARGO_PKG_VERSION")),
        tokens: None,
        cost: Some(0.0),
    }
}

/// The priority of a ticket whose draft nobody decided on in time.
pub(crate) const fn raised(priority: Priority) -> Priority {
    match priority {
        Priority::Low => Priority::Medium,
        Priority::Medium => Priority::High,
        Priority::High | Priority::Urgent => Priority::Urgent,
    }
}
