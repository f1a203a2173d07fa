//! Owns what the configuration lets through without a person.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use ticketflow_tickets::triage::{Fraction, IssueType};

/// What may go on without a person's approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// Score from which an approved draft goes on by itself; none when every draft needs a person.
    pub auto_approve_min_score: Option<Fraction>,
    /// Matters that a person always decides.
    pub guarded_issues: BTreeSet<IssueType>,
    /// Confidence in the category below which a person always decides.
    pub min_confidence: Fraction,
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            auto_approve_min_score: Some(Fraction::clamped(0.7)),
            guarded_issues: IssueType::ALL.iter().copied().filter(|issue| issue.is_guarded()).collect(),
            min_confidence: Fraction::clamped(0.5),
        }
    }
}

/// What a draft may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewPolicy {
    /// Beginnings of links that a draft may hold; each ends in a slash, so that no longer host name fits.
    pub allowed_links: Vec<String>,
    /// What may go on without a person.
    pub approval: ApprovalPolicy,
}

impl Default for ReviewPolicy {
    fn default() -> Self {
        Self {
            allowed_links: vec!["https://help.example.com/".to_owned()],
            approval: ApprovalPolicy::default(),
        }
    }
}

impl ReviewPolicy {
    /// Whether a draft may hold `link`.
    pub(super) fn allows(&self, link: &str) -> bool {
        let lower = link.to_ascii_lowercase();
        self.allowed_links.iter().any(|start| {
            let start = start.trim_end_matches('/').to_ascii_lowercase();
            lower.strip_prefix(&start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_below_the_allowed_ones_pass() {
        let policy = ReviewPolicy::default();
        for good in
            ["https://help.example.com", "https://help.example.com/status", "HTTPS://HELP.example.com/x"]
        {
            assert!(policy.allows(good), "{good}");
        }
        for bad in [
            "https://help.example.com.evil.net/",
            "https://help.example.com@evil.net/",
            "http://help.example.com/",
            "https://evil.net/https://help.example.com/",
            "www.help.example.com",
        ] {
            assert!(!policy.allows(bad), "{bad}");
        }
    }

    #[test]
    fn money_deletion_and_stolen_accounts_are_guarded_by_default() {
        let guarded = ApprovalPolicy::default().guarded_issues;
        for issue in [IssueType::RefundRequest, IssueType::DataDeletion, IssueType::AccountCompromised] {
            assert!(guarded.contains(&issue), "{issue}");
        }
        assert!(!guarded.contains(&IssueType::TrackOrder));
    }
}
