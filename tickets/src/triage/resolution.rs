//! Owns the output of the step `finalize`.

use super::draft::Action;
use crate::taxonomy::Priority;
use serde::{Deserialize, Serialize};

/// How triage ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// The reply to send; none when a person writes it.
    pub final_response: Option<String>,
    /// What happens to the ticket.
    pub action: Action,
    /// Who works it, how soon.
    pub routing: Routing,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// A person changed the reply.
    pub edited: bool,
}

/// Where a ticket goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// The team that works it.
    pub team: String,
    /// How soon.
    pub priority: Priority,
}

/// Who decided: on the wire the word `policy`, or `person:` and a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum DecidedBy {
    /// The approval policy of the configuration.
    Policy,
    /// A person, by name.
    Person(String),
}

const PERSON: &str = "person:";

impl From<String> for DecidedBy {
    fn from(word: String) -> Self {
        if word == "policy" {
            return Self::Policy;
        }
        Self::Person(word.strip_prefix(PERSON).map_or_else(|| word.clone(), str::to_owned))
    }
}

impl From<DecidedBy> for String {
    fn from(decided_by: DecidedBy) -> Self {
        match decided_by {
            DecidedBy::Policy => "policy".to_owned(),
            DecidedBy::Person(name) => format!("{PERSON}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_called_policy_is_still_a_person() {
        for decided_by in
            [DecidedBy::Policy, DecidedBy::Person("policy".into()), DecidedBy::Person("Ada".into())]
        {
            let text = serde_json::to_string(&decided_by).unwrap();
            assert_eq!(serde_json::from_str::<DecidedBy>(&text).unwrap(), decided_by);
        }
    }
}
