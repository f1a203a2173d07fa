//! Owns [`NewTicket`]: a ticket that has been parsed and may be stored.
//!
//! Says nothing about ids, statuses or time: those are given when it is stored.

use super::{
    metadata::Metadata,
    text::{Body, CustomerId, Subject},
};
use crate::word::closed_words;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

closed_words! {
    /// How a ticket came in.
    #[derive(Default)]
    Channel {
        /// By e-mail.
        Email => "email",
        /// From the chat window.
        Chat => "chat",
        /// From a form on the web site.
        Web => "web",
        /// Noted down during a call.
        Phone => "phone",
        /// Posted by a program; also when nothing is said.
        #[default]
        Api => "api",
        /// Brought over from another system.
        Import => "import",
    }
}

/// A parsed ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewTicket {
    /// Subject line.
    pub subject: Subject,
    /// The customer's message.
    pub body: Body,
    /// Who wrote.
    pub customer_id: CustomerId,
    /// How it came in.
    #[serde(default)]
    pub channel: Channel,
    /// Whatever else the sender knows.
    #[serde(default)]
    pub metadata: Metadata,
}

impl NewTicket {
    /// Fingerprint of customer, subject and body: two tickets with the same one say the same thing.
    ///
    /// Each part is preceded by its length, so that no text can slide from one part into the next.
    pub fn content_hash(&self) -> ContentHash {
        let mut hasher = Sha256::new();
        for part in [self.customer_id.as_str(), self.subject.as_str(), self.body.as_str()] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        ContentHash(hasher.finalize().into())
    }
}

/// SHA-256 over a ticket's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(customer: &str, subject: &str, body: &str) -> NewTicket {
        NewTicket {
            subject: Subject::parse(subject).unwrap(),
            body: Body::parse(body).unwrap(),
            customer_id: CustomerId::parse(customer).unwrap(),
            channel: Channel::default(),
            metadata: Metadata::default(),
        }
    }

    #[test]
    fn the_hash_depends_on_content_alone() {
        let ours = ticket("c", "subject", "body");
        let other_channel = NewTicket { channel: Channel::Phone, ..ours.clone() };
        assert_eq!(ours.content_hash(), other_channel.content_hash());
        assert_eq!(ours.content_hash().to_string().len(), 64);
    }

    #[test]
    fn text_that_moves_between_the_parts_changes_the_hash() {
        let hashes = [ticket("ab", "c", "d"), ticket("a", "bc", "d"), ticket("a", "b", "cd")];
        assert_ne!(hashes[0].content_hash(), hashes[1].content_hash());
        assert_ne!(hashes[1].content_hash(), hashes[2].content_hash());
    }
}
