//! What the event log is called on the wire: a closed set of words for auditors, coarser than the engine's kinds.

use serde::{Deserialize, Serialize};
use ticketflow_engine::event::EventKind;
use ticketflow_tickets::{ticket::topics, triage::APPROVAL_SIGNAL};

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)+) => {
        /// What an event is, to an auditor.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum EventType { $($(#[$doc])* #[serde(rename = $text)] $variant,)+ }

        impl EventType {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

event_types! {
    /// The ticket was taken in, or forked from another.
    Created => "created",
    /// It moved on without a step being completed: asleep, waiting, paused, done.
    StatusChange => "status_change",
    /// A step is done; its output is the payload.
    StepComplete => "step_complete",
    /// An attempt failed and another follows.
    Retry => "retry",
    /// It failed for good.
    Error => "error",
    /// Outside input arrived.
    Signal => "signal",
    /// A person is asked to decide about the draft.
    ApprovalRequested => "approval_requested",
    /// A person decided.
    ApprovalDecided => "approval_decided",
    /// Nobody decided in time.
    ApprovalExpired => "approval_expired",
    /// An agent changed the ticket.
    Edited => "edited",
    /// An agent closed it.
    Resolved => "resolved",
    /// An agent opened it again.
    Reopened => "reopened",
    /// It was given to an agent.
    Assigned => "assigned",
    /// Its tags changed.
    Tagged => "tagged",
    /// A remark of a step or a person.
    Note => "note",
    /// An operator let it go on.
    Resumed => "resumed",
    /// An operator ended it.
    Cancelled => "cancelled",
    /// The worker that held it died or ran past its deadline.
    LeaseExpired => "lease_expired",
    /// An operator moved it to another version of the workflow.
    Migrated => "migrated",
}

/// What the type of an event depends on besides its kind. An erased payload has neither.
#[derive(Debug, Default, Deserialize)]
struct Subject {
    #[serde(default)]
    signal: Option<String>,
    #[serde(default)]
    topic: Option<String>,
}

impl EventType {
    /// The type of an event of this kind with this payload.
    pub(crate) fn of(kind: EventKind, payload: &str) -> Self {
        let subject = || serde_json::from_str::<Subject>(payload).unwrap_or_default();
        let approval = || subject().signal.as_deref() == Some(APPROVAL_SIGNAL);
        match kind {
            EventKind::Created => Self::Created,
            EventKind::StepCompleted => Self::StepComplete,
            EventKind::StepRetried => Self::Retry,
            EventKind::Failed => Self::Error,
            EventKind::SignalReceived if approval() => Self::ApprovalDecided,
            EventKind::SignalReceived => Self::Signal,
            EventKind::Waited if approval() => Self::ApprovalRequested,
            EventKind::WaitTimedOut if approval() => Self::ApprovalExpired,
            EventKind::Waited
            | EventKind::WaitTimedOut
            | EventKind::Slept
            | EventKind::Completed
            | EventKind::Paused => Self::StatusChange,
            EventKind::Resumed | EventKind::RetriedNow => Self::Resumed,
            EventKind::Cancelled => Self::Cancelled,
            EventKind::LeaseExpired => Self::LeaseExpired,
            EventKind::Noted => Self::Note,
            EventKind::Annotated => subject().topic.map_or(Self::Note, |topic| Self::of_topic(&topic)),
            EventKind::Migrated => Self::Migrated,
        }
    }

    fn of_topic(topic: &str) -> Self {
        match topic {
            topics::EDITED => Self::Edited,
            topics::RESOLVED => Self::Resolved,
            topics::REOPENED => Self::Reopened,
            topics::ASSIGNED => Self::Assigned,
            topics::TAGGED => Self::Tagged,
            _ => Self::Note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_type_whatever_its_payload() {
        for &kind in EventKind::ALL {
            for payload in ["", "null", "{}", "[1]", r#"{"signal":7,"topic":null}"#] {
                assert!(EventType::ALL.contains(&EventType::of(kind, payload)), "{kind} {payload}");
            }
        }
    }

    #[test]
    fn approvals_are_told_from_other_signals() {
        let approval = r#"{"signal":"approval","until":null}"#;
        let other = r#"{"signal":"payment","until":null}"#;
        let table = [
            (EventKind::Waited, EventType::ApprovalRequested, EventType::StatusChange),
            (EventKind::SignalReceived, EventType::ApprovalDecided, EventType::Signal),
            (EventKind::WaitTimedOut, EventType::ApprovalExpired, EventType::StatusChange),
        ];
        for (kind, of_approval, of_other) in table {
            assert_eq!(EventType::of(kind, approval), of_approval);
            assert_eq!(EventType::of(kind, other), of_other);
        }
    }

    #[test]
    fn an_annotation_is_called_after_its_topic_when_that_is_a_type() {
        let of = |topic: &str| EventType::of(EventKind::Annotated, &format!(r#"{{"topic":"{topic}"}}"#));
        assert_eq!(of("edited"), EventType::Edited);
        assert_eq!(of("tagged"), EventType::Tagged);
        assert_eq!(of("created"), EventType::Note);
        assert_eq!(of("anything"), EventType::Note);
    }

    #[test]
    fn words_are_distinct_and_what_serde_writes() {
        let words: BTreeSet<_> = EventType::ALL.iter().map(|word| word.as_str()).collect();
        assert_eq!(words.len(), EventType::ALL.len());
        for word in EventType::ALL {
            assert_eq!(serde_json::to_string(word).unwrap(), format!("\"{}\"", word.as_str()));
        }
    }
}
