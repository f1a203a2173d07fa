//! `[triage]`: when a person has to agree, by when, and what may be done on a person's word.

use anyhow::Context as _;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};
use ticketflow_tickets::{
    taxonomy::{Category, Taxonomy},
    triage::{Fraction, IssueType},
};
use ticketflow_workflows::triage::{
    ActionError, Actions, ApprovalPolicy, ApprovalRule, CategoryApproval, SecretError, TriagePolicy,
};

/// Longest that a person may be given to decide, in hours.
const MOST_DEADLINE: u32 = 24 * 90;

/// `[triage]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Triage {
    /// A file of guarded actions, from where the configuration file lies.
    pub(crate) actions: Option<PathBuf>,
    pub(crate) approval: Approval,
}

/// `[triage.approval]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Approval {
    when: Option<ApprovalRule>,
    min_confidence: Option<Fraction>,
    min_score: Option<Fraction>,
    guarded_issues: Option<BTreeSet<IssueType>>,
    deadline_hours: Option<u32>,
    categories: BTreeMap<Category, CategoryApproval>,
}

impl Triage {
    /// Refuses what could not be meant.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let hours = self.approval.deadline_hours.unwrap_or(1);
        anyhow::ensure!(
            (1..=MOST_DEADLINE).contains(&hours),
            "triage.approval.deadline_hours = {hours} in the configuration file: use 1 to {MOST_DEADLINE}"
        );
        let policy = self.approval.policy();
        policy.check(&Taxonomy::built_in()?).context("[triage.approval.categories] in the configuration file")
    }

    /// What people decide about triage, with the actions of the file that is named beside `config`.
    pub(crate) fn policy(&self, config: Option<&Path>) -> anyhow::Result<TriagePolicy> {
        let mut policy = TriagePolicy::default();
        policy.review.approval = self.approval.policy();
        if let Some(hours) = self.approval.deadline_hours {
            policy.approval_deadline = Duration::from_hours(hours.into());
        }
        if let Some(file) = &self.actions {
            let beside = config.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
            policy.actions = actions(&beside.join(file))?;
        }
        Ok(policy)
    }
}

impl Approval {
    fn policy(&self) -> ApprovalPolicy {
        let default = ApprovalPolicy::default();
        ApprovalPolicy {
            when: self.when.unwrap_or(default.when),
            min_confidence: self.min_confidence.unwrap_or(default.min_confidence),
            min_score: self.min_score.unwrap_or(default.min_score),
            guarded_issues: self.guarded_issues.clone().unwrap_or(default.guarded_issues),
            categories: self.categories.clone(),
        }
    }
}

fn actions(path: &Path) -> anyhow::Result<Actions> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}, which triage.actions names", path.display()))?;
    let actions: Result<Actions, ActionError> = Actions::parse(&text, secret);
    actions.with_context(|| format!("{}, which triage.actions names", path.display()))
}

/// A secret from the environment: the variable itself, or the file that the variable with `_FILE` names.
fn secret(name: &str) -> Result<Option<String>, SecretError> {
    if let Ok(secret) = std::env::var(name) {
        return Ok(Some(secret));
    }
    let Ok(path) = std::env::var(format!("{name}_FILE")) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(secret) => Ok(Some(secret.trim_end().to_owned())),
        Err(source) => Err(SecretError { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triage(text: &str) -> Triage {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_left_out_keeps_its_default() {
        let policy = triage("[approval]\nwhen = 'always'\ndeadline_hours = 4\n").policy(None).unwrap();
        let (approval, default) = (policy.review.approval, ApprovalPolicy::default());
        assert_eq!((approval.when, approval.min_score), (ApprovalRule::Always, default.min_score));
        assert_eq!(policy.approval_deadline, Duration::from_hours(4));
    }

    #[test]
    fn what_could_not_be_meant_is_refused_with_what_to_write() {
        for (text, said) in [
            ("[approval]\ndeadline_hours = 0\n", "1 to 2160"),
            ("[approval.categories.shipping]\nwhen = 'never'\n", "billing"),
        ] {
            let error = format!("{:#}", triage(text).check().unwrap_err());
            assert!(error.contains("triage.approval") && error.contains(said), "{error}");
        }
        triage("").check().unwrap();
    }

    #[test]
    fn the_documented_actions_can_be_used() {
        let example = include_str!("../../docs/actions.example.toml");
        Actions::parse(example, |_| Ok(Some("secret".to_owned()))).unwrap().check_secrets().unwrap();
    }

    #[test]
    fn actions_are_looked_for_beside_the_configuration_file() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("ticketflow.toml");
        let missing = triage("actions = 'actions.toml'").policy(Some(&config)).unwrap_err();
        assert!(format!("{missing:#}").contains("triage.actions"), "{missing:#}");
        std::fs::write(directory.path().join("actions.toml"), "[[action]]\nname = 'x'\n").unwrap();
        let wrong = triage("actions = 'actions.toml'").policy(Some(&config)).unwrap_err();
        assert!(format!("{wrong:#}").contains("description"), "{wrong:#}");
        std::fs::write(directory.path().join("actions.toml"), "").unwrap();
        triage("actions = 'actions.toml'").policy(Some(&config)).unwrap();
    }
}
