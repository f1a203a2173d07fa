//! What can be set about models. Parsed and checked by whoever reads the configuration; here it is taken as it stands.

use super::{format::Format, price::PriceTable};
use chrono::TimeDelta;
use secrecy::SecretString;
use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};
use ticketflow_tickets::triage::TriageStep;

/// Which steps ask which model of which provider, and with what prompts. Without steps everything is offline.
#[derive(Debug, Clone, Default)]
pub struct ModelSettings {
    /// By name.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// The steps that ask a model; each names one of `providers`.
    pub steps: BTreeMap<TriageStep, StepModelSettings>,
    /// Where prompts are that take the place of those that come with the program.
    pub prompts_dir: Option<PathBuf>,
}

/// How a provider is reached, how fast it may be asked, what it costs.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Address below which the protocol's paths stand, as `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token; none for servers that ask for none.
    pub api_key: Option<SecretString>,
    /// Longest time for one call, from the request to the answer's last byte.
    pub timeout: Duration,
    /// Attempts of a step that may end with a failed call; the one after them falls back.
    pub attempts: u32,
    /// Calls that a process makes at once.
    pub concurrency: usize,
    /// Calls that a process makes in a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens that a process sends and asks for in a minute, estimated before the call.
    pub tokens_per_minute: Option<NonZeroU32>,
    /// The first rung of the ladder that is tried.
    pub format: Format,
    /// What tokens cost; without it costs are unknown and budgets cannot be kept.
    pub prices: Option<PriceTable>,
    /// Dollars that all processes together spend in a day (UTC).
    pub budget_per_day: Option<f64>,
    /// Dollars that are spent on one ticket.
    pub budget_per_ticket: Option<f64>,
    /// Failed calls in a row after which the model is not asked for a while.
    pub breaker_threshold: u32,
    /// How long it is not asked the first time.
    pub breaker_cool_down: TimeDelta,
}

impl ProviderSettings {
    /// A provider at an address, with what holds unless something else is set.
    pub fn at(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            timeout: Duration::from_secs(20),
            attempts: 3,
            concurrency: 8,
            requests_per_minute: None,
            tokens_per_minute: None,
            format: Format::JsonSchema,
            prices: None,
            budget_per_day: None,
            budget_per_ticket: None,
            breaker_threshold: 5,
            breaker_cool_down: TimeDelta::seconds(30),
        }
    }

    /// Whether what was spent has a bearing on calls.
    pub(super) const fn has_budgets(&self) -> bool {
        self.budget_per_day.is_some() || self.budget_per_ticket.is_some()
    }
}

/// The model that a step asks.
#[derive(Debug, Clone, PartialEq)]
pub struct StepModelSettings {
    /// Name of the provider.
    pub provider: String,
    /// Name of the model, as the provider knows it.
    pub model: String,
    /// How much chance there is in the answer; unset: the model's default, for some take no other.
    pub temperature: Option<f32>,
    /// Most tokens of an answer; unset: the model's default.
    pub max_tokens: Option<u32>,
    /// Share of the tickets, in percent, that get the second variant of the prompt.
    pub variant_percent: u8,
}

impl StepModelSettings {
    /// A model of a provider, with its defaults.
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            temperature: None,
            max_tokens: None,
            variant_percent: 0,
        }
    }
}
