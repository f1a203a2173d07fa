//! Owns what is asked of a person, and what the person answers: the two payloads that pass through the log.

use serde::{Deserialize, Serialize};

/// What whoever decides should know: the `about` of the wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The reply to be decided on.
    pub draft: String,
    /// Why a person must decide.
    pub reasons: Vec<String>,
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
}
