//! Owns what is answered: a JSON schema, filled from the words of a text. The same schema and text give the same answer.

mod evidence;
mod fill;
mod name;
mod words;

pub(crate) use evidence::{Evidence, Told};
pub(crate) use fill::fill;

/// An order number that no ticket names: what an obeying model invents.
pub const INVENTED_ID: &str = "ORD-900900900";
/// A link that no article holds: what an obeying model invents.
pub const INVENTED_LINK: &str = "https://invented.example/pay";

/// What is said where any text will do.
pub(crate) fn prose(evidence: &Evidence) -> String {
    let opening = "Thank you for your message.";
    let reply = match evidence.sentences.first() {
        Some(sentence) => format!("{opening} You wrote: “{sentence}” We are looking into it and will reply."),
        None => format!("{opening} We are looking into it and will reply."),
    };
    evidence.obeyed(reply)
}
