//! Asking models: what is asked (`prompt`, `evidence`, `schema`), how (`format`, `limits`), what may go wrong and
//! what follows (`error`), what is kept (`ledger`), and all of it in turn (`ask`, one `question` at a time).
//!
//! Invariant: a step that asks a model completes, whatever the model does; nothing that a model says is taken without a
//! look at the evidence.

mod ask;
mod chat;
mod error;
mod evidence;
mod format;
mod ledger;
mod limits;
mod price;
mod prompt;
mod question;
pub(crate) mod schema;
mod settings;

pub(crate) use ask::Asked;
pub(crate) use chat::{ChatAnswer, ChatRequest, End, Message, Role};
pub use error::{CallError, ModelError};
pub(crate) use evidence::Part;
pub use format::Format;
pub use price::{ModelPrice, PriceTable};
pub use prompt::PromptError;
pub(crate) use question::{Task, Told, Unfit};
pub use settings::{ModelSettings, ProviderSettings, StepModelSettings};

use super::openai::OpenAi;
use crate::{redaction::Redactor, settings::TriagePolicy};
use format::Ladder;
use ledger::Ledger;
use limits::Limits;
use prompt::{PromptSource, StepPrompts};
use sqlx::PgPool;
use std::{collections::BTreeMap, sync::Arc};
use ticketflow_tickets::{model::BreakerPolicy, taxonomy::Taxonomy, triage::TriageStep};

/// The steps that ask a model, and what they ask it with.
#[derive(Debug, Default)]
pub(crate) struct Models(BTreeMap<TriageStep, StepModel>);

/// The model of one step.
#[derive(Debug)]
pub(crate) struct StepModel {
    step: TriageStep,
    provider: Arc<Provider>,
    settings: StepModelSettings,
    prompts: StepPrompts,
    ladder: Arc<Ladder>,
    ledger: Ledger,
    redactor: Arc<Redactor>,
}

/// A provider, shared by the steps that ask it.
#[derive(Debug)]
struct Provider {
    name: String,
    settings: ProviderSettings,
    server: OpenAi,
    limits: Limits,
}

impl Models {
    /// Puts the settings to work. Nobody is asked yet.
    pub(crate) fn new(
        settings: &ModelSettings,
        taxonomy: &Taxonomy,
        policy: &TriagePolicy,
        pool: &PgPool,
    ) -> Result<Self, ModelError> {
        let source = PromptSource {
            directory: settings.prompts_dir.as_deref(),
            taxonomy,
            links: &policy.review.allowed_links,
            products: &policy.products.told(),
        };
        let mut providers = BTreeMap::new();
        for (name, provider) in &settings.providers {
            providers.insert(name.as_str(), Arc::new(Provider::new(name, provider)?));
        }
        let mut ladders: BTreeMap<(&str, &str), Arc<Ladder>> = BTreeMap::new();
        let (ledger, redactor) = (Ledger::new(pool.clone()), Arc::new(Redactor::load()?));
        let mut steps = BTreeMap::new();
        for (&step, chosen) in &settings.steps {
            let name = step.as_str();
            if matches!(step, TriageStep::Research | TriageStep::Finalize) {
                return Err(ModelError::NoModelStep(name));
            }
            let provider = providers.get(chosen.provider.as_str()).cloned().ok_or_else(|| {
                ModelError::UnknownProvider { step: name, provider: chosen.provider.clone() }
            })?;
            let ladder = ladders.entry((&chosen.provider, &chosen.model));
            let ladder = ladder.or_insert_with(|| Arc::new(Ladder::from(provider.settings.format))).clone();
            let prompts = source.prompts(step, chosen.variant_percent)?;
            let (settings, ledger, redactor) = (chosen.clone(), ledger.clone(), redactor.clone());
            let model = StepModel { step, provider, settings, prompts, ladder, ledger, redactor };
            steps.insert(step, model);
        }
        Ok(Self(steps))
    }

    /// The model of a step; none: it is done offline.
    pub(crate) fn of(&self, step: TriageStep) -> Option<&StepModel> {
        self.0.get(&step)
    }
}

impl Provider {
    fn new(name: &str, settings: &ProviderSettings) -> Result<Self, ModelError> {
        let server = OpenAi::at(&settings.base_url, settings.api_key.as_ref()).map_err(ModelError::Http)?;
        let limits = Limits::of(settings);
        Ok(Self { name: name.to_owned(), settings: settings.clone(), server, limits })
    }

    fn breaker_policy(&self) -> BreakerPolicy {
        let timeout = chrono::TimeDelta::from_std(self.settings.timeout).unwrap_or(chrono::TimeDelta::MAX);
        BreakerPolicy {
            threshold: self.settings.breaker_threshold,
            cool_down: self.settings.breaker_cool_down,
            trial: timeout.checked_mul(2).unwrap_or(timeout),
        }
    }
}
