//! A request to a model and its answer, whatever the protocol.

use super::format::Format;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ticketflow_tickets::triage::Tokens;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What is to be done.
    System,
    /// What it is to be done with.
    User,
    /// What the model answered before.
    Assistant,
}

/// Something that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) text: String,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChatRequest<'a> {
    pub(crate) model: &'a str,
    pub(crate) messages: &'a [Message],
    pub(crate) temperature: Option<f32>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) format: Format,
    /// Name of the answer's type: letters, digits and underscores.
    pub(crate) name: &'a str,
    pub(crate) schema: &'a Value,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChatAnswer {
    /// What the model said.
    pub(crate) text: String,
    /// Why it stopped.
    pub(crate) end: End,
    /// None when the provider does not say.
    pub(crate) tokens: Option<Tokens>,
}

/// An answer that is kept, and for whom it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptAnswer {
    pub(crate) answer: ChatAnswer,
    /// Visit of the step that asked: another one that asks the same has nothing to pay.
    pub(crate) asked_by: String,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// It had said everything.
    Done,
    /// It had said as much as it may.
    CutOff,
    /// It declined, or a filter did.
    Declined,
}

impl Role {
    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl ChatRequest<'_> {
    /// Characters of all that is said.
    pub(super) fn characters(&self) -> usize {
        self.messages.iter().map(|message| message.text.chars().count()).sum()
    }
}
