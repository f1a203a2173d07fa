//! Topics of the annotations that change a ticket's row.

/// Its data is a [`TicketEdit`](super::TicketEdit).
pub const EDITED: &str = "edited";
/// Its data is a [`TicketEdit`](super::TicketEdit) of the assignee.
pub const ASSIGNED: &str = "assigned";
/// Its data is a [`TicketEdit`](super::TicketEdit) of the tags.
pub const TAGGED: &str = "tagged";
/// The ticket is solved.
pub const RESOLVED: &str = "resolved";
/// It is not solved after all.
pub const REOPENED: &str = "reopened";
