//! Owns guarded actions as they pass through the log: proposed to a person, and what became of them.

use crate::word::closed_words;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something with consequences outside, proposed to a person: money, an account, another team's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedAction {
    /// Its name, as declared.
    pub name: String,
    /// What it does, for who decides.
    pub description: String,
    /// What it is done with.
    pub parameters: Map<String, Value>,
}

impl ProposedAction {
    /// Whether it may run, where only these names were approved; none: all.
    pub fn is_among(&self, approved: Option<&[String]>) -> bool {
        approved.is_none_or(|names| names.contains(&self.name))
    }
}

/// What became of a proposed action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionOutcome {
    /// Its name, as declared.
    pub name: String,
    /// What it was done with.
    pub parameters: Map<String, Value>,
    /// How it ended.
    pub status: ActionStatus,
    /// Key by which the receiver knows a repetition; none if it was not called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// HTTP status of the receiver's last answer; none if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Beginning of that answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

closed_words! {
    /// How a guarded action ended.
    ActionStatus {
        /// The receiver took it.
        Done => "done",
        /// It was called in vain, or nobody knows: a person has to see to it.
        Failed => "failed",
        /// Whoever approved the reply left it out.
        Declined => "declined",
    }
}
