//! A ticket as a customer hands it in, and as it stands afterwards.

mod corrections;
mod cursor;
mod earlier;
mod edit;
mod error;
mod filter;
mod json;
mod metadata;
mod new;
mod row;
mod solved;
mod stats;
mod status;
mod store;
mod text;
pub mod topics;
mod view;

pub use corrections::{Correction, corrections};
pub use cursor::{Cursor, CursorError};
pub use earlier::earlier_of_customer;
pub use edit::TicketEdit;
pub use error::{FieldError, FieldErrorCode};
pub use filter::{Direction, Page, Paging, Sort, SortKey, TicketFilter};
pub use metadata::Metadata;
pub use new::{Channel, ContentHash, NewTicket};
pub use row::TicketRow;
pub(crate) use row::load;
pub use solved::Solved;
pub use stats::{Latency, TicketStats, awaiting_approval, stats};
pub use status::TicketStatus;
pub use store::{get, list};
pub use text::{Body, CustomerId, Subject};
pub use view::Ticket;
