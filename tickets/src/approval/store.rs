//! Reads of `approvals`, and the decision itself.
//!
//! A decision is two writes in one transaction: the signal that the run waits for, and the mark on the request, which
//! turns a second decision away. The projection writes the same mark again when the run takes the signal.
//! Locks are taken in the order live run, request, as the projection does.

use super::{
    decision::ApprovalDecision,
    row::{Approval, ApprovalRow, load},
    status::ApprovalStatus,
};
use crate::{clean, triage::APPROVAL_SIGNAL};
use chrono::{DateTime, Utc};
use serde_json::value::to_raw_value;
use sqlx::{Connection, PgConnection};
use ticketflow_engine::{
    Actor, RunId, StoreError,
    store::signal::{self, Sent},
};

/// The place after a request in the list of those that are pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalCursor {
    requested_at: DateTime<Utc>,
    ticket: RunId,
}

impl ApprovalCursor {
    /// Reads a cursor; none if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('.')?;
        let requested_at = DateTime::from_timestamp_micros(i64::from_str_radix(micros, 16).ok()?)?;
        // A made-up time past what the column holds must not reach the database.
        if requested_at < DateTime::UNIX_EPOCH {
            return None;
        }
        Some(Self { requested_at, ticket: id.parse().ok()? })
    }
}

impl std::fmt::Display for ApprovalCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}.{}", self.requested_at.timestamp_micros(), self.ticket.as_uuid().simple())
    }
}

/// One page of pending requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The requests, longest waiting first.
    pub approvals: Vec<Approval>,
    /// Where the next page starts; none: this is the last.
    pub next: Option<ApprovalCursor>,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It stands, and the run will take it up; the caller wakes the workers once it has committed.
    Accepted(Sent),
    /// Somebody decided before, the deadline passed, or the run went on another way.
    AlreadyDecided(Box<Approval>),
    /// Nobody ever asked for a decision on this ticket, or there is no such ticket.
    NotAsked,
}

/// Pending requests, longest waiting first.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn list_pending(
    connection: &mut PgConnection,
    after: Option<ApprovalCursor>,
    limit: u16,
) -> Result<Pending, StoreError> {
    let mut rows = sqlx::query_as!(
        ApprovalRow,
        r#"SELECT ticket_id AS "ticket_id: RunId", seq, is_open, status, draft, reasons, requested_at, deadline,
                  decided_at, decided_by, reason, edited_response
           FROM approvals
           WHERE status = 'pending' AND (requested_at, ticket_id) > ($1, $2)
           ORDER BY requested_at, ticket_id LIMIT $3"#,
        after.map_or(DateTime::UNIX_EPOCH, |cursor| cursor.requested_at),
        after.map_or(uuid::Uuid::nil(), |cursor| cursor.ticket.as_uuid()),
        i64::from(limit) + 1,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("list approvals"))?;
    let is_last = rows.len() <= usize::from(limit);
    rows.truncate(limit.into());
    let last = rows.last().filter(|_| !is_last);
    let next = last.map(|row| ApprovalCursor { requested_at: row.requested_at, ticket: row.ticket_id });
    let approvals = rows.into_iter().map(Approval::try_from).collect::<Result<_, _>>()?;
    Ok(Pending { approvals, next })
}

/// The ticket's latest request.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn get(connection: &mut PgConnection, ticket: RunId) -> Result<Option<Approval>, StoreError> {
    let mut rows = load(connection, &[ticket]).await.map_err(StoreError::database("read an approval"))?;
    rows.pop().map(Approval::try_from).transpose()
}

/// Decides on a ticket's draft, unless that was decided before.
///
/// # Errors
/// If the database did not do it; then nothing was decided.
pub async fn decide(
    connection: &mut PgConnection,
    ticket: RunId,
    decision: &ApprovalDecision,
    actor: &Actor,
) -> Result<Decided, StoreError> {
    let mut transaction = connection.begin().await.map_err(StoreError::database("begin a decision"))?;
    let payload = to_raw_value(decision).map_err(StoreError::Encode)?;
    let sent = signal::send(&mut transaction, ticket, APPROVAL_SIGNAL, &payload, actor).await?;
    if let Some(sent) = sent
        && mark(&mut transaction, ticket, decision).await?
    {
        transaction.commit().await.map_err(StoreError::database("commit a decision"))?;
        return Ok(Decided::Accepted(sent));
    }
    transaction.rollback().await.map_err(StoreError::database("take back a decision"))?;
    let asked = get(connection, ticket).await?;
    Ok(asked.map_or(Decided::NotAsked, |asked| Decided::AlreadyDecided(Box::new(asked))))
}

/// Marks the open request. False: there is none that is pending.
async fn mark(
    connection: &mut PgConnection,
    ticket: RunId,
    decision: &ApprovalDecision,
) -> Result<bool, StoreError> {
    let status = if decision.approved { ApprovalStatus::Approved } else { ApprovalStatus::Rejected };
    let marked = sqlx::query!(
        "UPDATE approvals
         SET status = $3, decided_at = engine_now(), decided_by = $4, reason = $5, edited_response = $6
         WHERE bucket = $1 AND ticket_id = $2 AND is_open AND status = 'pending'",
        ticket.bucket().as_i16(),
        ticket.as_uuid(),
        status.as_str(),
        &*clean::text(&decision.decided_by),
        decision.reason.as_deref().map(|reason| clean::text(reason).into_owned()),
        decision.edited_response.as_deref().map(|edited| clean::text(edited).into_owned()),
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("mark a decision"))?;
    Ok(marked.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let cursor = ApprovalCursor {
            requested_at: DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap(),
            ticket: RunId::from_uuid(uuid::Uuid::from_u128(9)),
        };
        assert_eq!(ApprovalCursor::parse(&cursor.to_string()), Some(cursor));
        for text in ["", ".", "x.y", "ff", "ff.zz"] {
            assert_eq!(ApprovalCursor::parse(text), None, "{text}");
        }
    }
}
