//! Owns [`Triage`], what the six steps are made from, and [`TriagePolicy`], what people decide about them.

use crate::{
    action::Actions,
    provider::offline::{Offline, OfflineError, ReviewPolicy},
};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use ticketflow_tickets::{
    knowledge::Library,
    taxonomy::{Priority, Taxonomy},
    ticket::Solved,
    triage::{AiAccount, AiStatus, TriageStep},
};

/// What may be said, what a person must decide, and by when.
#[derive(Debug, Clone)]
pub struct TriagePolicy {
    /// What a draft may say, and which a person must decide on.
    pub review: ReviewPolicy,
    /// Time after which an undecided draft is escalated.
    pub approval_deadline: Duration,
    /// What may be done besides the reply, on a person's word.
    pub actions: Actions,
}

impl Default for TriagePolicy {
    fn default() -> Self {
        Self {
            review: ReviewPolicy::default(),
            approval_deadline: Duration::from_hours(24),
            actions: Actions::default(),
        }
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
    /// Reads the word lists and templates of the offline provider.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn new(taxonomy: Taxonomy, policy: TriagePolicy, pool: PgPool) -> Result<Self, OfflineError> {
        let offline = Offline::new(taxonomy.clone())?;
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

impl Triage {
    /// Tries of the guarded action that is tried most often; none if there are no actions.
    pub fn most_attempts_of_actions(&self) -> Option<u32> {
        self.policy.actions.most_attempts()
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
