//! Which models the steps ask: `[providers.<name>]`, the models under `[steps.<name>]`, `prompts_dir`; or, with none of
//! them in the file, what `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `OPENAI_MODEL` say. With neither everything is offline.
//!
//! A key is never in the file: a variable holds it, or the path of a file that does.

use super::{File, StepSection};
use anyhow::{Context as _, bail, ensure};
use chrono::TimeDelta;
use serde::{Deserialize, de::IgnoredAny};
use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};
use ticketflow_engine::StepPolicy;
use ticketflow_tickets::triage::TriageStep;
use ticketflow_workflows::models::{
    Format, ModelPrice, ModelSettings, PriceTable, ProviderSettings, SecretString, StepModelSettings,
};

/// Name of the provider that variables alone describe.
const OPENAI: &str = "openai";
/// Where it is unless told otherwise.
const OPENAI_URL: &str = "https://api.openai.com/v1";
/// The model that is asked there unless told otherwise.
const OPENAI_MODEL: &str = "gpt-5-mini";
/// The steps that can ask a model.
const MODEL_STEPS: [TriageStep; 4] =
    [TriageStep::Classify, TriageStep::Extract, TriageStep::Draft, TriageStep::Review];
/// What a step needs besides two calls of a model, in milliseconds.
const SPARE_MS: u64 = 5_000;

/// `[providers.<name>]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProviderSection {
    base_url: Option<String>,
    /// Known only to be refused without being shown, as an unknown key would be.
    api_key: Option<IgnoredAny>,
    api_key_env: Option<String>,
    timeout_seconds: Option<u64>,
    attempts: Option<u32>,
    concurrency: Option<usize>,
    requests_per_minute: Option<NonZeroU32>,
    tokens_per_minute: Option<NonZeroU32>,
    format: Option<String>,
    budget_per_day: Option<f64>,
    budget_per_ticket: Option<f64>,
    breaker_threshold: Option<u32>,
    breaker_cool_down_seconds: Option<u32>,
    prices: Option<PricesSection>,
}

/// `[providers.<name>.prices]`: dollars per million tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PricesSection {
    version: String,
    models: BTreeMap<String, PriceSection>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceSection {
    input: f64,
    output: f64,
    cached: Option<f64>,
}

/// The value of a variable of the environment.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Whose variables these are: the process's own.
pub(crate) fn process_variables(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

impl File {
    /// Refuses sections about models that do not go together; looks at no variable.
    pub(super) fn check_models(&self) -> anyhow::Result<()> {
        let named = self.steps.values().any(|step| step.provider.is_some());
        if named || !self.providers.is_empty() {
            self.configured(None)?;
        }
        Ok(())
    }

    /// The models that the steps ask, with their keys.
    pub(crate) fn models(&self, variables: Variables<'_>) -> anyhow::Result<ModelSettings> {
        if !self.providers.is_empty() {
            return self.configured(Some(variables));
        }
        let is_set = |name: &str| variables(name).is_some();
        if is_set("OPENAI_API_KEY") || is_set("OPENAI_API_KEY_FILE") || is_set("OPENAI_BASE_URL") {
            return self.by_variables(variables);
        }
        Ok(ModelSettings { prompts_dir: self.prompts_dir.clone(), ..ModelSettings::default() })
    }

    fn configured(&self, variables: Option<Variables<'_>>) -> anyhow::Result<ModelSettings> {
        let mut providers = BTreeMap::new();
        for (name, section) in &self.providers {
            let context = || format!("[providers.{name}] in the configuration file");
            let mut settings = section.settings(name).with_context(context)?;
            if let Some(variables) = variables {
                settings.api_key = section.key(name, &settings.base_url, variables).with_context(context)?;
            }
            providers.insert(name.clone(), settings);
        }
        let mut steps = BTreeMap::new();
        for (name, section) in &self.steps {
            let context = || format!("[steps.{name}] in the configuration file");
            if let Some(chosen) = section.model(&self.providers).with_context(context)? {
                let step = TriageStep::parse(name).filter(|step| MODEL_STEPS.contains(step));
                let step = step.context("only classify, extract, draft and review can ask a model");
                steps.insert(step.with_context(context)?, chosen);
            }
        }
        let idle = providers.keys().find(|name| !steps.values().any(|step| step.provider == **name));
        if let Some(idle) = idle {
            bail!(
                "no step asks [providers.{idle}]: write provider = \"{idle}\" and a model under [steps.classify]"
            );
        }
        self.check_together(ModelSettings { providers, steps, prompts_dir: self.prompts_dir.clone() })
    }

    fn by_variables(&self, variables: Variables<'_>) -> anyhow::Result<ModelSettings> {
        let base_url = variables("OPENAI_BASE_URL");
        let model = match (variables("OPENAI_MODEL"), &base_url) {
            (Some(model), _) => model,
            (None, None) => OPENAI_MODEL.to_owned(),
            (None, Some(url)) => bail!("OPENAI_BASE_URL is {url}: set OPENAI_MODEL to a model that it has"),
        };
        let base_url =
            checked_url(base_url.unwrap_or_else(|| OPENAI_URL.to_owned())).context("OPENAI_BASE_URL")?;
        let api_key = secret("OPENAI_API_KEY", variables)?;
        let provider = ProviderSettings { api_key, ..ProviderSettings::at(base_url) };
        let steps = MODEL_STEPS.map(|step| (step, StepModelSettings::new(OPENAI, model.clone())));
        self.check_together(ModelSettings {
            providers: BTreeMap::from([(OPENAI.to_owned(), provider)]),
            steps: BTreeMap::from(steps),
            prompts_dir: self.prompts_dir.clone(),
        })
    }

    /// Checks what concerns a provider and the steps that ask it.
    fn check_together(&self, settings: ModelSettings) -> anyhow::Result<ModelSettings> {
        for (step, chosen) in &settings.steps {
            let Some(provider) = settings.providers.get(&chosen.provider) else { continue };
            let section = self.steps.get(step.as_str());
            let limit = section.and_then(|section| section.timeout_ms);
            let limit = limit.unwrap_or(StepPolicy::default().timeout_ms);
            let call = u64::try_from(provider.timeout.as_millis()).unwrap_or(u64::MAX);
            let needed = call.saturating_mul(2).saturating_add(SPARE_MS);
            ensure!(
                limit >= needed,
                "steps.{step}.timeout_ms = {limit} leaves no time for two calls of {} ms to provider {}: raise it to \
                 {needed}, or lower timeout_seconds of the provider",
                call,
                chosen.provider
            );
            let budget = provider.budget_per_day.or(provider.budget_per_ticket);
            let prices = provider.prices.as_ref();
            ensure!(
                budget.is_none() || prices.is_some_and(|prices| prices.models.contains_key(&chosen.model)),
                "provider {0} has a budget, which takes prices to keep: add [providers.{0}.prices.models.\"{1}\"] with \
                 input and output in dollars per million tokens",
                chosen.provider,
                chosen.model
            );
        }
        Ok(settings)
    }
}

impl StepSection {
    /// The model of a step; none: it asks none.
    fn model(
        &self,
        providers: &BTreeMap<String, ProviderSection>,
    ) -> anyhow::Result<Option<StepModelSettings>> {
        let (Some(provider), Some(model)) = (&self.provider, &self.model) else {
            let lone = self.provider.is_some() || self.model.is_some();
            ensure!(!lone, "a model takes both provider and model");
            let any =
                self.temperature.is_some() || self.max_tokens.is_some() || self.variant_percent.is_some();
            ensure!(
                !any,
                "temperature, max_tokens and variant_percent are about a model: name provider and model"
            );
            return Ok(None);
        };
        let known: Vec<&str> = providers.keys().map(String::as_str).collect();
        ensure!(
            providers.contains_key(provider),
            "there is no provider {provider:?}; there are: {known:?}; add [providers.{provider}]"
        );
        let temperature = self.temperature.filter(|value| !(0.0..=2.0).contains(value));
        ensure!(temperature.is_none(), "temperature goes from 0 to 2");
        ensure!(
            self.max_tokens.is_none_or(|most| most >= 64),
            "max_tokens under 64 leaves no room for an answer"
        );
        let variant_percent = self.variant_percent.unwrap_or_default();
        ensure!(variant_percent <= 100, "variant_percent goes from 0 to 100");
        let (temperature, max_tokens) = (self.temperature, self.max_tokens);
        let chosen = StepModelSettings::new(provider, model);
        Ok(Some(StepModelSettings { temperature, max_tokens, variant_percent, ..chosen }))
    }
}

impl ProviderSection {
    fn settings(&self, name: &str) -> anyhow::Result<ProviderSettings> {
        ensure!(
            self.api_key.is_none(),
            "api_key does not belong in the file: put it into a variable, or into a file of its own that {0}_FILE names; \
             api_key_env names another variable than {0}",
            variable_of(name)
        );
        let base_url = match (&self.base_url, name) {
            (Some(url), _) => url.clone(),
            (None, OPENAI) => OPENAI_URL.to_owned(),
            (None, _) => bail!("base_url is missing: the address below which /chat/completions stands"),
        };
        let default = ProviderSettings::at(checked_url(base_url)?);
        let seconds = within("timeout_seconds", self.timeout_seconds, 1, 600)?;
        let cool_down = within("breaker_cool_down_seconds", self.breaker_cool_down_seconds, 1, 3_600)?;
        Ok(ProviderSettings {
            timeout: seconds.map_or(default.timeout, Duration::from_secs),
            attempts: within("attempts", self.attempts, 1, 20)?.unwrap_or(default.attempts),
            concurrency: within("concurrency", self.concurrency, 1, 10_000)?.unwrap_or(default.concurrency),
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            format: self.format.as_deref().map_or(Ok(default.format), parse_format)?,
            prices: self.prices.as_ref().map(PricesSection::table).transpose()?,
            budget_per_day: dollars("budget_per_day", self.budget_per_day)?,
            budget_per_ticket: dollars("budget_per_ticket", self.budget_per_ticket)?,
            breaker_threshold: within("breaker_threshold", self.breaker_threshold, 1, 1_000)?
                .unwrap_or(default.breaker_threshold),
            breaker_cool_down: cool_down
                .map_or(default.breaker_cool_down, |seconds| TimeDelta::seconds(seconds.into())),
            ..default
        })
    }

    /// The key that a variable holds: the named one, which must be set then, or one named like the provider.
    fn key(
        &self,
        name: &str,
        base_url: &str,
        variables: Variables<'_>,
    ) -> anyhow::Result<Option<SecretString>> {
        let variable = self.api_key_env.clone().unwrap_or_else(|| variable_of(name));
        let key = secret(&variable, variables)?;
        let needed = self.api_key_env.is_some() || base_url.starts_with(OPENAI_URL);
        ensure!(
            key.is_some() || !needed,
            "its key is missing: set {variable}, or {variable}_FILE to the path of a file that holds it"
        );
        Ok(key)
    }
}

impl PricesSection {
    fn table(&self) -> anyhow::Result<PriceTable> {
        let mut models = BTreeMap::new();
        for (model, price) in &self.models {
            let cached = price.cached.unwrap_or(price.input);
            let all = [price.input, price.output, cached];
            let sound = all.iter().all(|price| price.is_finite() && *price >= 0.0);
            ensure!(
                sound,
                "prices.models.{model:?}: a price is a number of dollars per million tokens, not below 0"
            );
            models.insert(model.clone(), ModelPrice { input: price.input, output: price.output, cached });
        }
        Ok(PriceTable { version: self.version.clone(), models })
    }
}

fn variable_of(provider: &str) -> String {
    let letters =
        provider.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    format!("{}_API_KEY", letters.collect::<String>())
}

/// The secret that a variable holds, or the file that `<variable>_FILE` names.
fn secret(variable: &str, variables: Variables<'_>) -> anyhow::Result<Option<SecretString>> {
    if let Some(value) = variables(variable) {
        return checked_key(&value).with_context(|| variable.to_owned()).map(Some);
    }
    let file = format!("{variable}_FILE");
    let Some(path) = variables(&file).map(PathBuf::from) else { return Ok(None) };
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("{file}: cannot read {}", path.display()))?;
    checked_key(&text).with_context(|| file).map(Some)
}

fn checked_key(text: &str) -> anyhow::Result<SecretString> {
    let key = text.trim();
    let sound = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(sound, "this is no key: one line of printable characters without spaces");
    Ok(SecretString::from(key))
}

fn checked_url(url: String) -> anyhow::Result<String> {
    let sound = reqwest::Url::parse(&url).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme()) && url.has_host() && url.password().is_none()
    });
    ensure!(sound, "base_url = {url:?}: write an address such as {OPENAI_URL}, without a password");
    Ok(url)
}

fn parse_format(word: &str) -> anyhow::Result<Format> {
    Format::parse(word).with_context(|| format!("format = {word:?}: use json_schema, json_object or prompt"))
}

fn dollars(key: &str, value: Option<f64>) -> anyhow::Result<Option<f64>> {
    let sound = value.is_none_or(|value| value.is_finite() && value > 0.0);
    ensure!(sound, "{key} is a number of dollars above 0");
    Ok(value)
}

fn within<N: PartialOrd + std::fmt::Display + Copy>(
    key: &str,
    value: Option<N>,
    least: N,
    most: N,
) -> anyhow::Result<Option<N>> {
    let sound = value.is_none_or(|value| value >= least && value <= most);
    ensure!(sound, "{key}: use {least} to {most}");
    Ok(value)
}

#[cfg(test)]
mod tests;
