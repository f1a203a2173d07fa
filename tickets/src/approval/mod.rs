//! A person's decision on a draft: what is asked, what is answered, and the table `approvals`.

mod decide;
mod decision;
mod row;
mod status;
mod store;

pub use decide::{Decided, decide};
pub use decision::{ApprovalDecision, ApprovalRequest};
pub use row::Approval;
pub(crate) use row::{ApprovalRow, load};
pub use status::ApprovalStatus;
pub use store::{ApprovalCursor, Pending, get, list_pending, of_ticket};
