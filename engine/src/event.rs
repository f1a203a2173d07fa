//! The closed set of events a run's log may hold, and their encoding.
//!
//! An event is stored as a `kind` and a JSON payload that is kept byte for byte. A checkpoint is the
//! [`StepCompleted`] event itself: there is no second store that could disagree with the log.

use crate::{
    id::{Actor, Epoch, RunId, Seq, StepName},
    status::text_enum,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, sync::Arc};

text_enum! {
    /// What happened; the word in the `kind` column.
    EventKind {
        /// The run was enqueued, or forked from another.
        Created => "created",
        /// A step's checkpoint.
        StepCompleted => "step_completed",
        /// An attempt failed and another will follow.
        StepRetried => "step_retried",
        /// The step went to sleep.
        Slept => "slept",
        /// The step waits for a signal.
        Waited => "waited",
        /// The run consumed a signal.
        SignalReceived => "signal_received",
        /// The wait ended without the signal.
        WaitTimedOut => "wait_timed_out",
        /// The worker that held the run died, or the step ran past its deadline.
        LeaseExpired => "lease_expired",
        /// A step's progress note.
        Noted => "noted",
        /// Something outside the workflow was recorded with the run.
        Annotated => "annotated",
        /// An operator stopped it for now.
        Paused => "paused",
        /// An operator let it go on, perhaps from an earlier step.
        Resumed => "resumed",
        /// An operator ended a sleep or a backoff early.
        RetriedNow => "retried_now",
        /// An operator moved it to another version of its workflow.
        Migrated => "migrated",
        /// An operator ended it.
        Cancelled => "cancelled",
        /// It failed for good.
        Failed => "failed",
        /// Its last step is done.
        Completed => "completed",
    }
}

/// Where a forked run took over from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fork {
    /// The run it was forked from.
    pub parent: RunId,
    /// Last event of the parent that the fork took over.
    pub parent_seq: Seq,
    /// Why, in the operator's words.
    pub reason: String,
    /// The parent's checkpoints, carried over so that this log stands alone.
    pub outputs: BTreeMap<StepName, Box<RawValue>>,
}

/// Payload of [`EventKind::Created`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Created {
    /// Workflow the run is pinned to.
    pub workflow: Arc<str>,
    /// Version of it.
    pub version: i32,
    /// First step to run.
    pub step: StepName,
    /// The run's input.
    pub input: Box<RawValue>,
    /// Set for a forked run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
}

/// Payload of [`EventKind::StepCompleted`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepCompleted {
    /// Step that runs next; `None` after the last one.
    pub next: Option<StepName>,
    /// What the step returned.
    pub output: Box<RawValue>,
}

/// Why an attempt or a run failed: stable code for machines, message for people, details for the curious.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable, in snake case.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whatever else the failing line knew.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), details: serde_json::Value::Null }
    }

    /// Adds what else is known.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }
}

/// Payload of [`EventKind::StepRetried`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRetried {
    /// Why the attempt failed.
    pub error: Failure,
    /// When the next attempt may start.
    pub retry_at: DateTime<Utc>,
}

/// Payload of [`EventKind::Slept`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slept {
    /// When the step runs again.
    pub until: DateTime<Utc>,
}

/// Payload of [`EventKind::Waited`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waited {
    /// Name of the signal.
    pub signal: String,
    /// When the wait ends without it.
    pub until: Option<DateTime<Utc>>,
    /// What whoever sends the signal should know.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub about: serde_json::Value,
}

/// Payload of [`EventKind::SignalReceived`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignalReceived {
    /// Name of the signal.
    pub signal: String,
    /// Its number among all signals sent to the run, from 1.
    pub number: i32,
    /// Who sent it.
    pub from: Actor,
    /// What was sent.
    pub payload: Box<RawValue>,
}

/// Payload of [`EventKind::WaitTimedOut`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitTimedOut {
    /// Name of the signal that did not come.
    pub signal: String,
}

/// Payload of [`EventKind::LeaseExpired`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseExpired {
    /// Worker that held the lease.
    pub worker: String,
    /// `worker_died` or `deadline_passed`.
    pub cause: String,
    /// Crashes of this step so far.
    pub crashes: i32,
}

/// Payload of [`EventKind::Noted`] and [`EventKind::Annotated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Stable, in snake case.
    pub topic: String,
    /// What there is to say.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub data: serde_json::Value,
}

/// Payload of [`EventKind::Paused`], [`EventKind::RetriedNow`] and [`EventKind::Cancelled`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervention {
    /// Why, in the operator's words.
    pub reason: String,
}

/// Payload of [`EventKind::Resumed`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resumed {
    /// Why, in the operator's words.
    pub reason: String,
    /// Step to go on from; `None`: where it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_step: Option<StepName>,
    /// Checkpoints the operator replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub edited: BTreeMap<StepName, Box<RawValue>>,
    /// With `from_step`: signals sent until then, which were meant for what the run did before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub signals_seen: i32,
}

/// Payload of [`EventKind::Migrated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrated {
    /// Why, in the operator's words.
    pub reason: String,
    /// Version it is pinned to from now on.
    pub to_version: i32,
    /// Step of that version to go on from.
    pub to_step: StepName,
    /// Signals sent until then, which were meant for what the run did before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub signals_seen: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it serializes by reference")]
const fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Payload of [`EventKind::Completed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {}

macro_rules! event {
    ($($variant:ident($payload:ty),)+) => {
        /// One thing that happened to a run.
        #[derive(Debug, Clone)]
        pub enum Event {
            $(#[doc = concat!("See [`EventKind::", stringify!($variant), "`].")] $variant($payload),)+
        }

        impl Event {
            /// The word of its `kind` column.
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$variant(_) => EventKind::$variant,)+ }
            }

            /// The JSON of its `payload` column.
            ///
            /// # Errors
            /// If the payload cannot be JSON; its types leave no way for that but a note with a non-string key.
            pub fn payload(&self) -> Result<String, serde_json::Error> {
                match self { $(Self::$variant(payload) => serde_json::to_string(payload),)+ }
            }

            /// Reads an event back.
            ///
            /// # Errors
            /// If the payload is not what `kind` has.
            pub fn decode(kind: EventKind, payload: &str) -> Result<Self, serde_json::Error> {
                fn read<T: DeserializeOwned>(payload: &str) -> Result<T, serde_json::Error> {
                    serde_json::from_str(payload)
                }
                Ok(match kind { $(EventKind::$variant => Self::$variant(read::<$payload>(payload)?),)+ })
            }
        }
    };
}

event! {
    Created(Created),
    StepCompleted(StepCompleted),
    StepRetried(StepRetried),
    Slept(Slept),
    Waited(Waited),
    SignalReceived(SignalReceived),
    WaitTimedOut(WaitTimedOut),
    LeaseExpired(LeaseExpired),
    Noted(Note),
    Annotated(Note),
    Paused(Intervention),
    Resumed(Resumed),
    RetriedNow(Intervention),
    Migrated(Migrated),
    Cancelled(Intervention),
    Failed(Failure),
    Completed(Completed),
}

/// An event with everything the log's row has.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// Position in the log.
    pub seq: Seq,
    /// Epoch it was written under.
    pub epoch: Epoch,
    /// Step it belongs to.
    pub step: Option<StepName>,
    /// Attempt it belongs to; 0 where there is none.
    pub attempt: i32,
    /// Who caused it.
    pub actor: Actor,
    /// How long the attempt took, in milliseconds.
    pub duration_ms: Option<i32>,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: Event,
    /// The event's payload as stored, byte for byte.
    pub payload: String,
    /// Hash of this event, chained to the one before.
    pub hash: crate::chain::Hash,
}
