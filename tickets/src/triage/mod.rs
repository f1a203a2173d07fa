//! What the six steps hand on: each type is one step's durable output.

mod account;
mod classification;
mod draft;
mod extraction;
mod guarded;
mod issue;
mod made;
mod measure;
mod research;
mod resolution;
mod review;
mod rewrite;
mod step;

pub use account::{AiAccount, AiStatus, FallbackReason, ModelCall, Tokens};
pub use classification::Classification;
pub use draft::{Action, Draft};
pub use extraction::{Amount, DateMention, EntityKind, Extraction, Mention, Part, Risk};
pub use guarded::{ActionOutcome, ActionStatus, ProposedAction};
pub use issue::IssueType;
pub use made::Made;
pub use measure::{Fraction, NotAFraction, NotASentiment, Sentiment};
pub use research::{ArticleHit, EarlierTicket, Research};
pub use resolution::{Acting, Conclusion, DecidedBy, Resolution, Routing, SentBack};
pub use review::{PolicyViolation, Review, Verdict, ViolationCode};
pub use rewrite::{Change, DiffPart, Rewrite};
pub use step::{APPROVAL_ESCALATED, APPROVAL_SIGNAL, TriageStep, WORKFLOW};
