//! What events change about requests for a person's decision. Pure: no clock, no database.

use crate::{
    approval::{ApprovalDecision, ApprovalRequest, ApprovalRow, ApprovalStatus},
    clean,
    triage::APPROVAL_SIGNAL,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use ticketflow_engine::{
    Change, RunId,
    event::{Event, EventRecord, SignalReceived, Waited},
};

/// How an open request ends. The field names are those that the update statement reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Closing {
    pub(super) bucket: i16,
    pub(super) ticket_id: RunId,
    pub(super) status: ApprovalStatus,
    pub(super) decided_at: DateTime<Utc>,
    pub(super) decided_by: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) edited_response: Option<String>,
    pub(super) instructions: Option<String>,
    pub(super) approved_actions: Option<Vec<String>>,
    pub(super) decision_key: Option<String>,
}

/// What a change does to a ticket's requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Ends the request that was open before.
    pub(super) closing: Option<Closing>,
    /// New ones, in order; the last may be open.
    pub(super) opened: Vec<ApprovalRow>,
}

/// Folds the events of a change.
pub(super) fn requests(change: &Change<'_>) -> Requests {
    let mut requests = Requests::default();
    for record in change.events {
        if let Event::Waited(waited) = &record.event
            && waited.signal == APPROVAL_SIGNAL
        {
            requests.opened.push(opened(change.run, record, waited));
        } else if let Some(closing) = closing(change.run, record) {
            match requests.opened.last_mut() {
                Some(open) if open.is_open => close(open, closing),
                Some(_) => {}
                None => requests.closing = requests.closing.or(Some(closing)),
            }
        }
    }
    requests
}

fn opened(run: RunId, record: &EventRecord, waited: &Waited) -> ApprovalRow {
    let about: ApprovalRequest = serde_json::from_value(waited.about.clone()).unwrap_or_default();
    ApprovalRow {
        ticket_id: run,
        seq: record.seq.0,
        is_open: true,
        status: ApprovalStatus::Pending.to_string(),
        draft: (!about.draft.is_empty()).then(|| clean::owned(about.draft)),
        reasons: about.reasons.into_iter().map(clean::owned).collect(),
        requested_at: record.at,
        deadline: waited.until,
        decided_at: None,
        decided_by: None,
        reason: None,
        edited_response: None,
        actions: clean::json(serde_json::to_value(about.actions).unwrap_or_default()),
        redrafts_left: i16::try_from(about.redrafts_left).unwrap_or(i16::MAX),
        instructions: None,
        approved_actions: None,
        decision_key: None,
    }
}

/// Ends an open request as the update statement does.
pub(super) fn close(open: &mut ApprovalRow, closing: Closing) {
    open.is_open = false;
    open.status = closing.status.to_string();
    open.decided_at = Some(closing.decided_at);
    open.decided_by = closing.decided_by;
    open.reason = closing.reason;
    open.edited_response = closing.edited_response;
    open.instructions = closing.instructions;
    open.approved_actions = closing.approved_actions;
    open.decision_key = closing.decision_key;
}

/// How `record` ends the request that is open, if one is.
fn closing(run: RunId, record: &EventRecord) -> Option<Closing> {
    let with = |status| Closing {
        bucket: run.bucket().as_i16(),
        ticket_id: run,
        status,
        decided_at: record.at,
        decided_by: None,
        reason: None,
        edited_response: None,
        instructions: None,
        approved_actions: None,
        decision_key: None,
    };
    match &record.event {
        Event::SignalReceived(received) if received.signal == APPROVAL_SIGNAL => {
            Some(decided(with(ApprovalStatus::Superseded), received))
        }
        Event::WaitTimedOut(timed_out) if timed_out.signal == APPROVAL_SIGNAL => {
            Some(with(ApprovalStatus::Expired))
        }
        Event::Resumed(resumed) if resumed.from_step.is_some() => Some(with(ApprovalStatus::Superseded)),
        Event::Migrated(_) | Event::Cancelled(_) | Event::Failed(_) => Some(with(ApprovalStatus::Superseded)),
        Event::Created(_)
        | Event::StepCompleted(_)
        | Event::StepRetried(_)
        | Event::Slept(_)
        | Event::Waited(_)
        | Event::SignalReceived(_)
        | Event::WaitTimedOut(_)
        | Event::LeaseExpired(_)
        | Event::Noted(_)
        | Event::Annotated(_)
        | Event::Paused(_)
        | Event::Resumed(_)
        | Event::RetriedNow(_)
        | Event::Completed(_) => None,
    }
}

/// A signal that is no decision ends the request undecided; the step asks again.
fn decided(undecided: Closing, received: &SignalReceived) -> Closing {
    let Ok(decision) = serde_json::from_str::<ApprovalDecision>(received.payload.get()) else {
        return undecided;
    };
    let status = decision.status();
    Closing {
        status,
        decided_by: Some(clean::owned(decision.decided_by)),
        reason: decision.reason.map(clean::owned),
        edited_response: decision.edited_response.map(clean::owned),
        instructions: decision.instructions.filter(|_| status == ApprovalStatus::SentBack).map(clean::owned),
        approved_actions: decision.actions.map(|names| names.into_iter().map(clean::owned).collect()),
        decision_key: decision.key.map(clean::owned),
        ..undecided
    }
}
