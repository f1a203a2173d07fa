//! Owns [`ApprovalStatus`].

use crate::word::closed_words;

closed_words! {
    /// How a request for a decision stands.
    ApprovalStatus {
        /// Nobody has decided.
        Pending => "pending",
        /// The draft, or an edited reply, may be used.
        Approved => "approved",
        /// Another draft was asked for.
        SentBack => "sent_back",
        /// A person takes over.
        Rejected => "rejected",
        /// The deadline passed.
        Expired => "expired",
        /// The run went on another way.
        Superseded => "superseded",
    }
}
