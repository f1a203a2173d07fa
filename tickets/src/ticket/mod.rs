//! A ticket as a customer hands it in.

mod error;
mod json;
mod metadata;
mod new;
mod text;

pub use error::{FieldError, FieldErrorCode};
pub use metadata::Metadata;
pub use new::{Channel, ContentHash, NewTicket};
pub use text::{Body, CustomerId, Subject};
