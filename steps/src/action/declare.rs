//! Owns a file of actions: how each is declared, and everything that can be wrong with that.

use super::{evidence, sign::Secret};
use crate::finalize::MOST_ACTIONS;
use reqwest::Url;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use ticketflow_tickets::{taxonomy::Category, triage::IssueType};

/// Longest that a receiver may be given to answer, in milliseconds: below the step's own time-out.
const MOST_TIMEOUT_MS: u64 = 45_000;
/// Most repetitions of a call.
const MOST_RETRIES: u32 = 20;

/// Why a file of actions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// It is no such file.
    #[error("it does not read as actions")]
    Syntax(#[from] toml::de::Error),
    /// An action is declared wrongly.
    #[error("action {action}: {problem}")]
    Invalid {
        /// Which.
        action: String,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// An action's secret cannot be had.
    #[error("action {action}: its secret cannot be read")]
    Secret {
        /// Which.
        action: String,
        /// Why.
        source: SecretError,
    },
    /// An action has no secret to be signed with.
    #[error(
        "action {action} has no secret: set {variable}, or {variable}_FILE to the name of a file that holds it"
    )]
    NoSecret {
        /// Which.
        action: String,
        /// Where the secret is looked for.
        variable: String,
    },
    /// Nothing can be called.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct SecretError {
    /// The file that should hold it.
    pub path: String,
    /// What came in between.
    pub source: std::io::Error,
}

/// An action, as it is declared.
#[derive(Debug)]
pub(super) struct Declaration {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) issues: BTreeSet<IssueType>,
    pub(super) categories: BTreeSet<Category>,
    /// Where each parameter is found: a JSON pointer (RFC 6901) into the evidence.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) required: BTreeSet<String>,
    pub(super) url: Url,
    pub(super) secret_env: String,
    pub(super) secret: Option<Secret>,
    pub(super) timeout: Duration,
    retries: u32,
}

impl Declaration {
    /// How often it is called at most.
    pub(super) const fn attempts(&self) -> u32 {
        self.retries + 1
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    action: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: String,
    description: String,
    #[serde(default)]
    issues: BTreeSet<IssueType>,
    #[serde(default)]
    categories: BTreeSet<Category>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    required: BTreeSet<String>,
    url: String,
    secret_env: String,
    #[serde(default = "ten_seconds")]
    timeout_ms: u64,
    #[serde(default = "four")]
    retries: u32,
}

const fn ten_seconds() -> u64 {
    10_000
}

const fn four() -> u32 {
    4
}

/// Reads the file.
pub(super) fn declarations(
    text: &str,
    secret: impl Fn(&str) -> Result<Option<String>, SecretError>,
) -> Result<Vec<Declaration>, ActionError> {
    let File { action: sections } = toml::from_str(text)?;
    if let Some(one_too_many) = sections.get(MOST_ACTIONS) {
        let problem = format!("at most {MOST_ACTIONS} can be declared");
        return Err(ActionError::Invalid { action: one_too_many.name.clone(), problem });
    }
    let mut declared: Vec<Declaration> = Vec::with_capacity(sections.len());
    for section in sections {
        let name = section.name.clone();
        let is_known = declared.iter().any(|known| known.name == name);
        let invalid = |problem| ActionError::Invalid { action: name.clone(), problem };
        if is_known {
            return Err(invalid("it is declared twice; give one of them another name".to_owned()));
        }
        check(&section).map_err(invalid)?;
        let url = url(&section.url).map_err(invalid)?;
        let found = secret(&section.secret_env)
            .map_err(|source| ActionError::Secret { action: name.clone(), source })?;
        declared.push(Declaration {
            name: section.name,
            description: section.description,
            issues: section.issues,
            categories: section.categories,
            parameters: section.parameters,
            required: section.required,
            url,
            secret_env: section.secret_env,
            secret: found.filter(|secret| !secret.is_empty()).map(Secret::new),
            timeout: Duration::from_millis(section.timeout_ms),
            retries: section.retries,
        });
    }
    Ok(declared)
}

fn check(section: &Section) -> Result<(), String> {
    let is_word = |name: &str| {
        (1..=60).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if !is_word(&section.name) {
        return Err("a name has 1 to 60 lower-case letters, digits and underscores".to_owned());
    }
    if section.issues.is_empty() && section.categories.is_empty() {
        return Err("say when it is proposed: issues = [\"…\"], categories = [\"…\"], or both".to_owned());
    }
    if let Some(missing) = section.required.iter().find(|name| !section.parameters.contains_key(*name)) {
        return Err(format!("required names {missing}, which is none of its parameters"));
    }
    for (parameter, pointer) in &section.parameters {
        evidence::check_pointer(pointer).map_err(|problem| format!("parameter {parameter}: {problem}"))?;
    }
    if !(1..=MOST_TIMEOUT_MS).contains(&section.timeout_ms) {
        return Err(format!("timeout_ms = {}: use 1 to {MOST_TIMEOUT_MS}", section.timeout_ms));
    }
    if section.retries > MOST_RETRIES {
        return Err(format!("retries = {}: use 0 to {MOST_RETRIES}", section.retries));
    }
    Ok(())
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("url = {text:?}: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("url = {text:?}: use one that begins with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url names a user; calls are signed with the secret instead".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUND: &str = r#"
        [[action]]
        name = "issue_refund"
        description = "Pays money back"
        issues = ["refund_request"]
        parameters = { amount = "/amounts/0/value" }
        required = ["amount"]
        url = "https://pay.example/refunds"
        secret_env = "REFUND_SECRET"
    "#;

    fn read(text: &str) -> Result<Vec<Declaration>, ActionError> {
        declarations(text, |name| Ok((name == "REFUND_SECRET").then(|| "s3cret".to_owned())))
    }

    #[test]
    fn an_action_reads_with_its_defaults_and_keeps_its_secret_to_itself() {
        let declared = read(REFUND).unwrap();
        let [action] = declared.as_slice() else { panic!("{declared:?}") };
        assert_eq!((action.timeout, action.attempts()), (Duration::from_secs(10), 5));
        assert!(action.secret.is_some() && !format!("{action:?}").contains("s3cret"));
    }

    #[test]
    fn whatever_is_wrong_is_said_with_what_to_write() {
        for (wrong, right, said) in [
            ("[\"refund_request\"]", "[]", "issues = ["),
            ("required = [\"amount\"]", "required = [\"sum\"]", "none of its parameters"),
            ("/amounts/0/value", "/money", "amounts"),
            ("/amounts/0/value", "amounts", "begins with a slash"),
            ("https://pay", "ftp://pay", "https://"),
            ("https://pay", "https://user:pass@pay", "secret"),
            ("issue_refund", "Issue Refund", "lower-case"),
            ("secret_env", "timeout_ms = 60000\nsecret_env", "45000"),
            ("secret_env", "retries = 50\nsecret_env", "0 to 20"),
            ("refund_request", "refunds", "refund_request"),
        ] {
            let text = REFUND.replacen(wrong, right, 1);
            let error = read(&text).unwrap_err();
            let said_so =
                format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
            assert!(said_so.contains(said), "{right}: {said_so}");
        }
        let twice = read(&format!("{REFUND}{REFUND}")).unwrap_err().to_string();
        assert!(twice.contains("twice"), "{twice}");
    }

    #[test]
    fn an_action_without_a_secret_is_refused_where_it_would_be_called() {
        let actions = super::super::Actions::parse(REFUND, |_| Ok(None)).unwrap();
        let error = actions.check_secrets().unwrap_err().to_string();
        assert!(error.contains("issue_refund") && error.contains("REFUND_SECRET_FILE"), "{error}");
    }
}
