//! Owns [`TicketStatus`]: where a ticket stands, in the words of the API.

use crate::word::closed_words;

closed_words! {
    /// Where a ticket stands.
    TicketStatus {
        /// No step has run yet.
        Pending => "pending",
        /// Its steps are being run.
        Processing => "processing",
        /// A person must decide on its draft.
        AwaitingApproval => "awaiting_approval",
        /// Triage is done.
        Completed => "completed",
        /// Triage failed; an operator may resume it.
        FailedPermanent => "failed_permanent",
        /// An operator ended it.
        Cancelled => "cancelled",
        /// An operator stopped it for now.
        Paused => "paused",
    }
}

impl TicketStatus {
    /// Whether nothing more happens by itself.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::FailedPermanent | Self::Cancelled => true,
            Self::Pending | Self::Processing | Self::AwaitingApproval | Self::Paused => false,
        }
    }
}
