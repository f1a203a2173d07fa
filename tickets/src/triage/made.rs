//! Owns [`Made`]: a result together with the account of who made it.

use super::account::AiAccount;
use serde::{Deserialize, Serialize};

/// A result and who made it. On the wire the account stands beside the result's own fields, as `ai`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made<T> {
    /// The result.
    #[serde(flatten)]
    pub result: T,
    /// Who made it; none when an operator put it in the place of a step's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ai: Option<AiAccount>,
}

impl<T> Made<T> {
    /// A result that `account` tells of.
    pub const fn new(result: T, account: AiAccount) -> Self {
        Self { result, ai: Some(account) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::{Classification, Draft};

    #[test]
    fn an_operators_output_needs_no_account() {
        let json = r#"{"category":"billing","confidence":1,"priority":"high","sentiment_score":3,"language":"en",
            "reasons":[],"needs_review":false}"#;
        let made: Made<Classification> = serde_json::from_str(json).unwrap();
        assert!(made.ai.is_none());
        let back = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Made<Classification>>(&back).unwrap(), made);
        assert!(serde_json::from_str::<Made<Draft>>(json).is_err());
    }
}
