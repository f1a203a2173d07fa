//! Owns what the server remembers of its requests: the last ones whole, all of them as counts.

use crate::mode::Mode;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Requests that are kept whole.
const KEPT: usize = 1_000;
/// Bodies that are counted one by one; further ones are counted together with no other, so that a server that runs for
/// weeks does not grow.
const COUNTED: usize = 100_000;

/// A request as it came in.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// Its number, from 1.
    pub number: u64,
    /// Path it asked for.
    pub path: String,
    /// What became of it.
    pub mode: Mode,
    /// How often the same body had come before.
    pub before: u64,
    /// SHA-256 of the body, in hexadecimal.
    pub body_hash: String,
    /// Body; null if it was no JSON.
    pub body: Value,
    /// The header `Authorization`. It is shown to tests in the same process alone.
    #[serde(skip)]
    pub authorization: Option<String>,
}

/// Counts of requests.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tally {
    /// Requests that came in.
    pub requests: u64,
    /// Of these, answered with a completion or embeddings, right or wrong: what a real server would charge for.
    pub answered: u64,
    /// Of these, whose very same body had been answered before: what would have been paid twice.
    pub answered_again: u64,
    /// Most requests that were under way together.
    pub most_at_once: u64,
    /// Requests by what became of them.
    pub modes: BTreeMap<Mode, u64>,
}

/// How often a body came, and how often it was answered.
#[derive(Debug, Default, Clone, Copy)]
struct Times {
    came: u64,
    answered: u64,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    tally: Tally,
    under_way: u64,
    bodies: HashMap<String, Times>,
    kept: VecDeque<Seen>,
}

impl Ledger {
    /// How often a body came before.
    pub(crate) fn before(&self, body_hash: &str) -> u64 {
        self.bodies.get(body_hash).map_or(0, |times| times.came)
    }

    /// Writes a request down, whose number it gives.
    pub(crate) fn arrived(&mut self, seen: Seen) -> u64 {
        self.tally.requests += 1;
        self.under_way += 1;
        self.tally.most_at_once = self.tally.most_at_once.max(self.under_way);
        *self.tally.modes.entry(seen.mode).or_default() += 1;
        if self.bodies.len() < COUNTED || self.bodies.contains_key(&seen.body_hash) {
            self.bodies.entry(seen.body_hash.clone()).or_default().came += 1;
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Seen { number: self.tally.requests, ..seen });
        self.tally.requests
    }

    /// A request was answered.
    pub(crate) fn answered(&mut self, body_hash: &str) {
        self.tally.answered += 1;
        if let Some(times) = self.bodies.get_mut(body_hash) {
            self.tally.answered_again += u64::from(times.answered > 0);
            times.answered += 1;
        }
    }

    /// A request is over, one way or another.
    pub(crate) const fn left(&mut self) {
        self.under_way -= 1;
    }

    pub(crate) fn kept(&self) -> Vec<Seen> {
        self.kept.iter().cloned().collect()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.clone()
    }
}
