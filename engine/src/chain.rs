//! The hash chain over a run's log: `hash = SHA-256(previous hash ‖ every column, lengths first)`.
//!
//! Written here, by whoever writes the event; the SQL function `event_hash` states the same definition a second time,
//! and the audit checks one against the other. A payload enters by its digest, so that erasing one leaves the chain
//! intact.

use crate::{
    error::ChainError,
    event::EventKind,
    id::{Epoch, RunId, Seq},
};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first event is chained to.
    pub const GENESIS: Self = Self([0; 32]);

    /// Digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The raw bytes, as the column has them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = ChainError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| ChainError::Length { got: bytes.len() })
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a hash covers besides the previous hash.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// Run whose log it is.
    pub run: RunId,
    /// Position in the log.
    pub seq: Seq,
    /// Epoch it was written under.
    pub epoch: Epoch,
    /// What happened.
    pub kind: EventKind,
    /// Step it belongs to.
    pub step: Option<&'a str>,
    /// Attempt it belongs to.
    pub attempt: i32,
    /// Who caused it.
    pub actor: &'a str,
    /// How long it took.
    pub duration_ms: Option<i32>,
    /// When.
    pub at: DateTime<Utc>,
    /// Digest of the payload's bytes.
    pub payload_digest: Hash,
}

impl Link<'_> {
    /// The event's hash, given the hash of the one before.
    pub fn hash(&self, previous: Hash) -> Hash {
        let mut sha = Sha256::new();
        sha.update(previous.0);
        sha.update(self.run.as_uuid().as_bytes());
        sha.update(self.seq.0.to_be_bytes());
        sha.update(self.epoch.0.to_be_bytes());
        text(&mut sha, Some(self.kind.as_str()));
        text(&mut sha, self.step);
        sha.update(self.attempt.to_be_bytes());
        text(&mut sha, Some(self.actor));
        sha.update(self.duration_ms.unwrap_or(-1).to_be_bytes());
        sha.update(self.at.timestamp_micros().to_be_bytes());
        sha.update(self.payload_digest.0);
        Hash(sha.finalize().into())
    }
}

/// A length before each text keeps two different events from sharing an encoding.
fn text(sha: &mut Sha256, value: Option<&str>) {
    let length = value.map_or(-1, |text| i32::try_from(text.len()).unwrap_or(i32::MAX));
    sha.update(length.to_be_bytes());
    sha.update(value.unwrap_or_default());
}

/// One stored event, as [`verify`] sees it.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// What the hash covers.
    pub link: Link<'a>,
    /// The hash found beside it.
    pub hash: Hash,
}

/// Checks that a whole log, in order, is gap-free and chained.
///
/// # Errors
/// Names the first position at which it is not.
pub fn verify<'a>(log: impl IntoIterator<Item = Stored<'a>>) -> Result<Hash, ChainError> {
    let mut previous = Hash::GENESIS;
    let mut expected = Seq(0);
    for stored in log {
        if stored.link.seq != expected {
            return Err(ChainError::Gap { expected, found: stored.link.seq });
        }
        if stored.link.hash(previous) != stored.hash {
            return Err(ChainError::Broken { seq: expected });
        }
        previous = stored.hash;
        expected = expected.next();
    }
    Ok(previous)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RunId;

    fn link(seq: i32, actor: &str) -> Link<'_> {
        Link {
            run: RunId::from_uuid(uuid::Uuid::from_u128(5)),
            seq: Seq(seq),
            epoch: Epoch(1),
            kind: EventKind::Noted,
            step: None,
            attempt: 0,
            actor,
            duration_ms: None,
            at: DateTime::UNIX_EPOCH,
            payload_digest: Hash::of(b"{}"),
        }
    }

    #[test]
    fn any_change_breaks_the_chain_at_its_place() {
        let first = link(0, "a").hash(Hash::GENESIS);
        let second = link(1, "a").hash(first);
        let good = [Stored { link: link(0, "a"), hash: first }, Stored { link: link(1, "a"), hash: second }];
        assert_eq!(verify(good), Ok(second));
        let changed = [good[0], Stored { link: link(1, "b"), hash: second }];
        assert_eq!(verify(changed), Err(ChainError::Broken { seq: Seq(1) }));
        assert_eq!(verify([good[1]]), Err(ChainError::Gap { expected: Seq(0), found: Seq(1) }));
    }
}
