//! Identifiers, each a type of its own, so that none can stand where another is meant.
//!
//! A run's id is a UUIDv7 (RFC 9562) whose last byte is its bucket, so that the id alone names the shard.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};
use uuid::Uuid;

/// Id of one execution of a workflow: a UUIDv7 whose last byte is the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Makes an id for a run that starts at `at`; `entropy` supplies the 74 random bits and, unless `bucket` fixes
    /// it, the bucket as well.
    pub fn new(at: DateTime<Utc>, entropy: [u8; 10], bucket: Option<Bucket>) -> Self {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        let mut bytes = *uuid::Builder::from_unix_timestamp_millis(millis, &entropy).as_uuid().as_bytes();
        if let Some(bucket) = bucket {
            bytes[15] = bucket.0;
        }
        Self(Uuid::from_bytes(bytes))
    }

    /// Reads back an id that was stored.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as the database and the wire know it.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The shard this run lives on.
    pub const fn bucket(self) -> Bucket {
        Bucket(self.0.as_bytes()[15])
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// Shard key, 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(pub u8);

impl Bucket {
    /// The column's value.
    pub const fn as_i16(self) -> i16 {
        self.0 as i16
    }

    /// Reads the column's value; none if it is out of range, which a constraint rules out.
    pub(crate) fn from_i16(value: i16) -> Option<Self> {
        u8::try_from(value).ok().map(Self)
    }
}

/// Id of one worker process; a process that was declared dead comes back under a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct WorkerId(Uuid);

impl WorkerId {
    /// Takes a random UUID for a new worker, or reads back a stored one.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as the database knows it.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run's fencing token: it grows on every claim, reap and control action, and a write under an old one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Epoch(pub i64);

impl Epoch {
    /// The token after the next change of hands.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Position of an event in its run's log: 0, 1, 2 … without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Seq(pub i32);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Name of a step, unique in its workflow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepName(Arc<str>);

impl StepName {
    /// Wraps a name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A workflow's name and version: what a run is pinned to and what a worker says it can run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DefinitionId {
    /// Name of the workflow.
    pub workflow: Arc<str>,
    /// Version of the definition, from 1.
    pub version: i32,
}

impl DefinitionId {
    /// Names version `version` of `workflow`.
    pub fn new(workflow: &str, version: i32) -> Self {
        Self { workflow: workflow.into(), version }
    }
}

impl fmt::Display for DefinitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.workflow, self.version)
    }
}

/// Who caused an event: `worker:…`, `api:…`, `operator:…`, `reaper`, `scheduler`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(Arc<str>);

impl Actor {
    /// Wraps the name of an actor.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_carries_its_time_and_bucket() {
        let at = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        let id = RunId::new(at, [7; 10], Some(Bucket(200)));
        assert_eq!(id.bucket(), Bucket(200));
        assert_eq!(id.as_uuid().get_version_num(), 7);
        let (seconds, nanos) = id.as_uuid().get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_700_000_000, 123_000_000));
        assert_eq!(id.to_string().parse::<RunId>().unwrap(), id);
    }
}
