//! Owns when a person has to agree, as the configuration says it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use ticketflow_tickets::{
    taxonomy::{Category, Taxonomy},
    triage::{Fraction, IssueType},
};

/// When a person has to agree. Each asks for a person wherever those after it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalRule {
    /// To every draft.
    Always,
    /// To drafts for unsure categories, with low scores or that hand the ticket over.
    #[default]
    BelowConfidence,
    /// To guarded matters and actions, where the ticket holds a risk, and where the review found fault.
    Guarded,
    /// To none. What the review withholds is handed over without a reply, and no guarded action is proposed.
    Never,
}

/// What may go on without a person's approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// When a person has to agree.
    pub when: ApprovalRule,
    /// Confidence in the category below which it counts as unsure.
    pub min_confidence: Fraction,
    /// Score of the review below which a draft counts as poor.
    pub min_score: Fraction,
    /// Matters that a person decides.
    pub guarded_issues: BTreeSet<IssueType>,
    /// What is otherwise for some categories.
    pub categories: BTreeMap<Category, CategoryApproval>,
}

/// What is otherwise for a category; what is none is as for all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoryApproval {
    /// See [`ApprovalPolicy::when`].
    pub when: Option<ApprovalRule>,
    /// See [`ApprovalPolicy::min_confidence`].
    pub min_confidence: Option<Fraction>,
    /// See [`ApprovalPolicy::min_score`].
    pub min_score: Option<Fraction>,
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            when: ApprovalRule::default(),
            min_confidence: Fraction::clamped(0.5),
            min_score: Fraction::clamped(0.7),
            guarded_issues: IssueType::ALL.iter().copied().filter(|issue| issue.is_guarded()).collect(),
            categories: BTreeMap::new(),
        }
    }
}

impl ApprovalPolicy {
    /// When a person has to agree to drafts of a category.
    pub fn rule(&self, category: &Category) -> ApprovalRule {
        self.categories.get(category).and_then(|own| own.when).unwrap_or(self.when)
    }

    /// Confidence below which a person decides on a category; none: it does not count.
    pub fn least_confidence(&self, category: &Category) -> Option<Fraction> {
        let own = self.categories.get(category).and_then(|own| own.min_confidence);
        self.doubts(category).then(|| own.unwrap_or(self.min_confidence))
    }

    /// Score below which a person decides on a draft of a category; none: it does not count.
    pub fn least_score(&self, category: &Category) -> Option<Fraction> {
        let own = self.categories.get(category).and_then(|own| own.min_score);
        self.doubts(category).then(|| own.unwrap_or(self.min_score))
    }

    /// Whether a person decides on what is merely doubtful.
    pub fn doubts(&self, category: &Category) -> bool {
        matches!(self.rule(category), ApprovalRule::Always | ApprovalRule::BelowConfidence)
    }

    /// Whether a person decides on that matter.
    pub fn guards(&self, category: &Category, issue: IssueType) -> bool {
        self.rule(category) != ApprovalRule::Never && self.guarded_issues.contains(&issue)
    }

    /// Refuses categories that the taxonomy does not have.
    ///
    /// # Errors
    /// Names the first such category, and those there are.
    pub fn check(&self, taxonomy: &Taxonomy) -> Result<(), UnknownCategory> {
        let unknown = self.categories.keys().find(|category| taxonomy.category(category.as_str()).is_err());
        match unknown {
            None => Ok(()),
            Some(unknown) => {
                let known: Vec<&str> =
                    taxonomy.categories().iter().map(|known| known.name.as_str()).collect();
                Err(UnknownCategory { unknown: unknown.clone(), known: known.join(", ") })
            }
        }
    }
}

/// The policy is for a category that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no category {unknown}; the categories are {known}")]
pub struct UnknownCategory {
    unknown: Category,
    known: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(name: &str) -> Category {
        Category::parse(name).unwrap()
    }

    #[test]
    fn money_deletion_and_stolen_accounts_are_guarded_by_default() {
        let guarded = ApprovalPolicy::default().guarded_issues;
        for issue in [IssueType::RefundRequest, IssueType::DataDeletion, IssueType::AccountCompromised] {
            assert!(guarded.contains(&issue), "{issue}");
        }
        assert!(!guarded.contains(&IssueType::TrackOrder));
    }

    #[test]
    fn a_category_may_differ_in_one_thing_and_be_as_all_in_the_others() {
        let policy: ApprovalPolicy = toml::from_str(
            "when = 'guarded'\nmin_score = 0.6\n[categories.billing]\nwhen = 'always'\nmin_confidence = 0.8\n",
        )
        .unwrap();
        let (billing, order) = (category("billing"), category("order"));
        assert_eq!(
            (policy.rule(&billing), policy.rule(&order)),
            (ApprovalRule::Always, ApprovalRule::Guarded)
        );
        let least = |category| (policy.least_confidence(category), policy.least_score(category));
        assert_eq!(least(&billing), (Some(Fraction::clamped(0.8)), Some(Fraction::clamped(0.6))));
        assert_eq!(least(&order), (None, None), "doubts do not count there");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (text, named) in [
            ("when = 'sometimes'", "below_confidence"),
            ("min_confidence = 1.5", "0 to 1"),
            ("guarded_issues = ['refunds']", "refund_request"),
            ("minimum = 1", "min_confidence"),
        ] {
            let error = toml::from_str::<ApprovalPolicy>(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
        let taxonomy = Taxonomy::built_in().unwrap();
        let policy: ApprovalPolicy = toml::from_str("[categories.shipping]\nwhen = 'never'\n").unwrap();
        let error = policy.check(&taxonomy).unwrap_err().to_string();
        assert!(error.contains("shipping") && error.contains("billing, technical"), "{error}");
        assert_eq!(ApprovalPolicy::default().check(&taxonomy), Ok(()));
    }
}
