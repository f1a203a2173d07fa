//! What the six steps hand on: each type is one step's durable output.

mod account;
mod classification;
mod draft;
mod extraction;
mod issue;
mod made;
mod measure;
mod research;
mod resolution;
mod review;
mod step;

pub use account::{AiAccount, AiStatus, FallbackReason, ModelCall, Tokens};
pub use classification::Classification;
pub use draft::{Action, Draft};
pub use extraction::{Amount, DateMention, EntityKind, Extraction, Mention, Part, Risk};
pub use issue::IssueType;
pub use made::Made;
pub use measure::{Fraction, NotAFraction, NotASentiment, Sentiment};
pub use research::{ArticleHit, EarlierTicket, Research};
pub use resolution::{DecidedBy, Resolution, Routing};
pub use review::{PolicyViolation, Review, Verdict, ViolationCode};
pub use step::{APPROVAL_ESCALATED, APPROVAL_SIGNAL, TriageStep, WORKFLOW};
