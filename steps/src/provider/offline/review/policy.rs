//! Owns what a draft may say, as the configuration says it.

use super::approval::ApprovalPolicy;
use serde::{Deserialize, Serialize};

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
}
