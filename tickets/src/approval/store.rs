//! Reads of `approvals`.

use super::row::{Approval, ApprovalRow, load};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use ticketflow_engine::{RunId, StoreError};

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
                  decided_at, decided_by, reason, edited_response, actions, redrafts_left, instructions,
                  approved_actions, decision_key
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

/// Every request of the ticket, in order.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn of_ticket(connection: &mut PgConnection, ticket: RunId) -> Result<Vec<Approval>, StoreError> {
    let rows = load(connection, &[ticket]).await.map_err(StoreError::database("read approvals"))?;
    rows.into_iter().map(Approval::try_from).collect()
}

/// The ticket's latest request.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn get(connection: &mut PgConnection, ticket: RunId) -> Result<Option<Approval>, StoreError> {
    let mut rows = load(connection, &[ticket]).await.map_err(StoreError::database("read an approval"))?;
    rows.pop().map(Approval::try_from).transpose()
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
