//! Owns [`Triage`], what the six steps are made from, and [`TriagePolicy`], what people decide about them.

use crate::{
    action::Actions,
    provider::{
        model::{Asked, ModelError, ModelSettings, Models, Part, Task},
        offline::{Catalogue, Message, Offline, ReviewPolicy},
    },
    research::ArticleSearch,
};
use sqlx::PgPool;
use std::{sync::Arc, time::Duration};
use ticketflow_engine::{StepContext, StepError};
use ticketflow_tickets::{
    knowledge::Library,
    taxonomy::{Priority, Taxonomy},
    ticket::Solved,
    triage::{AiAccount, AiStatus, FallbackReason, Made, ModelCall, TriageStep},
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
    /// What the site sells, for whoever reads tickets.
    pub products: Catalogue,
}

impl Default for TriagePolicy {
    fn default() -> Self {
        Self {
            review: ReviewPolicy::default(),
            approval_deadline: Duration::from_hours(24),
            actions: Actions::default(),
            products: Catalogue::default(),
        }
    }
}

/// What the steps share; clones share it too.
#[derive(Debug, Clone)]
pub struct Triage {
    pub(crate) taxonomy: Arc<Taxonomy>,
    pub(crate) policy: Arc<TriagePolicy>,
    pub(crate) offline: Arc<Offline>,
    models: Arc<Models>,
    pub(crate) pool: PgPool,
    pub(crate) library: Library,
    pub(crate) articles: ArticleSearch,
    pub(crate) solved: Solved,
}

impl Triage {
    /// Puts the steps together, and reads the prompts of the models.
    ///
    /// # Errors
    /// If a prompt cannot be read, or the settings of the models do not go together.
    pub fn new(
        offline: Offline,
        policy: TriagePolicy,
        models: &ModelSettings,
        pool: PgPool,
    ) -> Result<Self, ModelError> {
        let taxonomy = offline.taxonomy().clone();
        let offline = offline.knowing(policy.products.clone());
        let library = Library::new(pool.clone());
        let models = Models::new(models, &taxonomy, &policy, &pool)?;
        Ok(Self {
            models: Arc::new(models),
            taxonomy: Arc::new(taxonomy),
            policy: Arc::new(policy),
            offline: Arc::new(offline),
            articles: ArticleSearch::new(library.clone()),
            library,
            solved: Solved::new(pool.clone()),
            pool,
        })
    }

    /// Tries of the guarded action that is tried most often; none if there are no actions.
    pub fn most_attempts_of_actions(&self) -> Option<u32> {
        self.policy.actions.most_attempts()
    }
}

/// What became of a step's work.
#[derive(Debug)]
pub(crate) enum Making<T> {
    /// Done.
    Made(Made<T>),
    /// To be done after that time.
    Later(Duration),
}

impl Triage {
    /// Does a step's work: by its model, if it has one, and else by the offline rules.
    ///
    /// # Errors
    /// If the step is to be tried again, or the offline rules fail too.
    pub(crate) async fn make<T: Task>(
        &self,
        context: &StepContext,
        task: &T,
    ) -> Result<Making<T::Result>, StepError> {
        let Some(model) = self.models.of(T::STEP) else {
            return Ok(Making::Made(Made::new(task.offline()?, offline_account(T::STEP))));
        };
        Ok(match model.ask(context, task).await? {
            Asked::Answered(result, account) => Making::Made(Made::new(result, account)),
            Asked::Unanswered(reason, calls) => {
                Making::Made(Made::new(task.offline()?, fallback_account(T::STEP, reason, calls)))
            }
            Asked::Later(pause) => Making::Later(pause),
        })
    }

    /// The ticket as a model is shown it: without what addresses the program, which the offline rules set aside too.
    pub(crate) fn ticket_part(&self, message: Message<'_>) -> Part {
        Part::new("ticket", self.offline.customers_words(message))
    }
}

/// The account of a result that the offline rules made in a model's place.
fn fallback_account(step: TriageStep, reason: FallbackReason, calls: Vec<ModelCall>) -> AiAccount {
    let (tokens, cost) = AiAccount::totals(&calls);
    let tokens = tokens.filter(|_| !calls.is_empty());
    let ai_status = AiStatus::Fallback;
    AiAccount { ai_status, tokens, cost, fallback: Some(reason), calls, ..offline_account(step) }
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
        fallback: None,
        calls: Vec::new(),
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
