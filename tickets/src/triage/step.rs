//! Owns the names that steps, checkpoints and read models share.

use crate::word::closed_words;

/// Name of the workflow that triages tickets.
pub const WORKFLOW: &str = "ticket_triage";

/// Signal that carries a person's decision on a draft.
pub const APPROVAL_SIGNAL: &str = "approval";

/// Topic of the note that a decision did not come in time; its data names the new `priority`.
pub const APPROVAL_ESCALATED: &str = "approval_escalated";

closed_words! {
    /// The steps of triage, in order.
    TriageStep {
        /// What is it about, how pressing?
        Classify => "classify",
        /// What does it name and ask for?
        Extract => "extract",
        /// What do we know that bears on it?
        Research => "research",
        /// What could be answered?
        Draft => "draft",
        /// Is that answer good enough?
        Review => "review",
        /// What happens to it?
        Finalize => "finalize",
    }
}
