//! Owns the output of the step `finalize`.

use super::{
    draft::Action,
    guarded::{ActionOutcome, ProposedAction},
    rewrite::Rewrite,
};
use crate::taxonomy::Priority;
use serde::{Deserialize, Serialize};

/// What the step decided: the ticket is done with, or a person wants another draft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Conclusion {
    /// Triage is over.
    Resolved(Resolution),
    /// It goes back to be drafted again.
    SentBack(SentBack),
    /// A person approved it, and what is done besides is under way.
    Acting(Acting),
}

/// What people asked to be done differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentBack {
    /// Every instruction so far; the last is the newest.
    pub instructions: Vec<String>,
    /// Who gave that one.
    pub sent_back_by: String,
    /// Whether the ticket was escalated before.
    #[serde(default)]
    pub late: bool,
}

/// What a person approved, and how far it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acting {
    /// Who approved it.
    pub approved_by: String,
    /// The reply that goes with it.
    pub response: String,
    /// Whether the decision came after the ticket was escalated.
    pub late: bool,
    /// What is still to be done, next first.
    pub left: Vec<ProposedAction>,
    /// What was done or left out.
    pub outcomes: Vec<ActionOutcome>,
}

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
    /// How the reply differs from the draft; none unless a person approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
    /// What became of the guarded actions that were proposed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionOutcome>,
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
    fn a_conclusion_reads_back_as_what_it_was() {
        let resolved = r#"{"final_response":null,"action":"handoff","routing":{"team":"a","priority":"low"},
            "decided_by":"policy","edited":false}"#;
        assert!(matches!(serde_json::from_str(resolved).unwrap(), Conclusion::Resolved(_)));
        let sent_back = Conclusion::SentBack(SentBack {
            instructions: vec!["shorter".into()],
            sent_back_by: "Ada".into(),
            late: true,
        });
        let text = serde_json::to_string(&sent_back).unwrap();
        assert_eq!(serde_json::from_str::<Conclusion>(&text).unwrap(), sent_back);
    }

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
