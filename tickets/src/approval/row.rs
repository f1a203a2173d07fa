//! Owns [`ApprovalRow`], a row of `approvals` as it is stored, and [`Approval`], what the API shows of it.

use super::status::ApprovalStatus;
use crate::triage::ProposedAction;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use ticketflow_engine::{RunId, StoreError};

/// A row of `approvals`. The columns carry comments in the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ApprovalRow {
    pub(crate) ticket_id: RunId,
    pub(crate) seq: i32,
    pub(crate) is_open: bool,
    pub(crate) status: String,
    pub(crate) draft: Option<String>,
    pub(crate) reasons: Vec<String>,
    pub(crate) requested_at: DateTime<Utc>,
    pub(crate) deadline: Option<DateTime<Utc>>,
    pub(crate) decided_at: Option<DateTime<Utc>>,
    pub(crate) decided_by: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) edited_response: Option<String>,
    pub(crate) actions: Value,
    pub(crate) redrafts_left: i16,
    pub(crate) instructions: Option<String>,
    pub(crate) approved_actions: Option<Vec<String>>,
    pub(crate) decision_key: Option<String>,
}

/// A request for a person's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The ticket, by which the request is addressed: a ticket has one open request at most.
    pub id: RunId,
    /// Event of the ticket's log that asked.
    pub seq: i32,
    /// How it stands.
    pub status: ApprovalStatus,
    /// The reply to be decided on.
    pub draft: Option<String>,
    /// Why a person must decide.
    pub reasons: Vec<String>,
    /// What is done besides if it is approved.
    pub actions: Vec<ProposedAction>,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
    /// When the wait ends without a decision; none: never.
    pub deadline: Option<DateTime<Utc>>,
    /// When it was decided, expired or was superseded.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Reply used in place of the draft.
    pub edited_response: Option<String>,
    /// What another draft is to do differently.
    pub instructions: Option<String>,
    /// Names of those of the actions that were approved; none: all.
    pub approved_actions: Option<Vec<String>>,
    /// How often another draft may be asked for from here on.
    pub redrafts_left: u16,
}

impl Approval {
    /// Whether a person, having been shown this action with these parameters, approved it.
    pub fn approves(&self, action: &ProposedAction) -> bool {
        self.status == ApprovalStatus::Approved
            && self.actions.contains(action)
            && action.is_among(self.approved_actions.as_deref())
    }
}

impl TryFrom<ApprovalRow> for Approval {
    type Error = StoreError;

    fn try_from(row: ApprovalRow) -> Result<Self, StoreError> {
        let place = format!("{} seq {}", row.ticket_id, row.seq);
        let corrupt =
            |column, problem| StoreError::Corrupt { table: "approvals", column, row: place, problem };
        let Some(status) = ApprovalStatus::parse(&row.status) else {
            return Err(corrupt("status", format!("{:?} is not a status", row.status)));
        };
        let actions = match serde_json::from_value(row.actions) {
            Ok(actions) => actions,
            Err(error) => return Err(corrupt("actions", error.to_string())),
        };
        let used = i16::from(status == ApprovalStatus::SentBack);
        Ok(Self {
            id: row.ticket_id,
            seq: row.seq,
            status,
            draft: row.draft,
            reasons: row.reasons,
            actions,
            requested_at: row.requested_at,
            deadline: row.deadline,
            decided_at: row.decided_at,
            decided_by: row.decided_by,
            reason: row.reason,
            edited_response: row.edited_response,
            instructions: row.instructions,
            approved_actions: row.approved_actions,
            redrafts_left: u16::try_from(row.redrafts_left - used).unwrap_or(0),
        })
    }
}

/// Every request of these tickets, by ticket and in order.
///
/// # Errors
/// If the database is out of reach.
pub(crate) async fn load(
    connection: &mut PgConnection,
    tickets: &[RunId],
) -> Result<Vec<ApprovalRow>, sqlx::Error> {
    let buckets: Vec<i16> = tickets.iter().map(|id| id.bucket().as_i16()).collect();
    let ids: Vec<uuid::Uuid> = tickets.iter().map(|id| id.as_uuid()).collect();
    sqlx::query_as!(
        ApprovalRow,
        r#"SELECT a.ticket_id AS "ticket_id: RunId", a.seq, a.is_open, a.status, a.draft, a.reasons, a.requested_at,
                  a.deadline, a.decided_at, a.decided_by, a.reason, a.edited_response, a.actions, a.redrafts_left,
                  a.instructions, a.approved_actions, a.decision_key
           FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, id)
           JOIN approvals AS a ON a.bucket = wanted.bucket AND a.ticket_id = wanted.id
           ORDER BY a.bucket, a.ticket_id, a.seq"#,
        &buckets,
        &ids,
    )
    .fetch_all(connection)
    .await
}
