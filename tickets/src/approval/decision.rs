//! Owns what is asked of a person, and what the person answers: the two payloads that pass through the log.

use crate::triage::ProposedAction;
use serde::{Deserialize, Serialize};

/// What whoever decides should know: the `about` of the wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The reply to be decided on.
    pub draft: String,
    /// Why a person must decide.
    pub reasons: Vec<String>,
    /// What is done besides if it is approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ProposedAction>,
    /// How often another draft may still be asked for.
    #[serde(default)]
    pub redrafts_left: u16,
}

/// A person's answer: the payload of the signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDecision {
    /// Whether the draft, or the edited reply, may be used.
    pub approved: bool,
    /// Who says so.
    pub decided_by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Reply to use in place of the draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_response: Option<String>,
    /// What another draft is to do differently. Only where it is not approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Names of the proposed actions that may run; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
    /// Key by which a repetition of the request is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl ApprovalDecision {
    /// A person's yes or no, with nothing besides.
    pub fn plain(approved: bool, decided_by: &str) -> Self {
        Self {
            approved,
            decided_by: decided_by.to_owned(),
            reason: None,
            edited_response: None,
            instructions: None,
            actions: None,
            key: None,
        }
    }

    /// How the request stands once this was decided.
    pub const fn status(&self) -> super::ApprovalStatus {
        match (self.approved, &self.instructions) {
            (true, _) => super::ApprovalStatus::Approved,
            (false, Some(_)) => super::ApprovalStatus::SentBack,
            (false, None) => super::ApprovalStatus::Rejected,
        }
    }
}
