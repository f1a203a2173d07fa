//! The decision itself.
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
use serde_json::value::to_raw_value;
use sqlx::{Connection, PgConnection};
use ticketflow_engine::{
    Actor, RunId, StoreError,
    store::signal::{self, Sent},
};

/// What became of a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    /// It stands, and the run will take it up; the caller wakes the workers once it has committed.
    Accepted(Sent, Box<Approval>),
    /// The same request decided it before, by its key.
    Replayed(Box<Approval>),
    /// The key belongs to another decision on this ticket.
    KeyReused,
    /// Somebody decided before, the deadline passed, or the run went on another way.
    AlreadyDecided(Box<Approval>),
    /// Another request is open than the one that was decided on: its draft has not been seen.
    Outdated(Box<Approval>),
    /// Another draft was asked for as often as it may be.
    NoRedraftLeft(Box<Approval>),
    /// An action was approved by this name that nobody proposed.
    UnknownAction(String, Box<Approval>),
    /// Nobody ever asked for a decision on this ticket, or there is no such ticket.
    NotAsked,
}

/// Decides on a ticket's draft, unless that was decided before. With `seq` only on the request that this event made.
///
/// # Errors
/// If the database did not do it; then nothing was decided.
pub async fn decide(
    connection: &mut PgConnection,
    ticket: RunId,
    decision: &ApprovalDecision,
    seq: Option<i32>,
    actor: &Actor,
) -> Result<Decided, StoreError> {
    let requests = requests(connection, ticket).await?;
    if let Some(answer) = replayed(&requests, decision)? {
        return Ok(answer);
    }
    let Some(asked) = requests.into_iter().next_back() else { return Ok(Decided::NotAsked) };
    let request = asked.seq;
    if let Some(refused) = refused(asked, decision, seq)? {
        return Ok(refused);
    }
    if let Some(sent) = signal_and_mark(connection, ticket, request, decision, actor).await? {
        // Not the latest: a worker may have asked again by now.
        let decided = self::requests(connection, ticket).await?.into_iter().find(|row| row.seq == request);
        let decided = decided.map(Approval::try_from).transpose()?;
        return Ok(decided.map_or(Decided::NotAsked, |decided| Decided::Accepted(sent, Box::new(decided))));
    }
    // Somebody was faster: perhaps the same request.
    let requests = self::requests(connection, ticket).await?;
    if let Some(answer) = replayed(&requests, decision)? {
        return Ok(answer);
    }
    match requests.into_iter().next_back() {
        Some(asked) => Ok(Decided::AlreadyDecided(Box::new(asked.try_into()?))),
        None => Ok(Decided::NotAsked),
    }
}

async fn requests(connection: &mut PgConnection, ticket: RunId) -> Result<Vec<ApprovalRow>, StoreError> {
    load(connection, &[ticket]).await.map_err(StoreError::database("read approvals"))
}

/// The answer to a request that came before, known by its key.
fn replayed(requests: &[ApprovalRow], decision: &ApprovalDecision) -> Result<Option<Decided>, StoreError> {
    let Some(key) = &decision.key else { return Ok(None) };
    let Some(row) = requests.iter().find(|row| row.decision_key.as_ref() == Some(key)) else {
        return Ok(None);
    };
    let same = row.status == decision.status().as_str()
        && row.decided_by.as_deref() == Some(&*clean::text(&decision.decided_by))
        && row.reason == cleaned(decision.reason.as_ref())
        && row.edited_response == cleaned(decision.edited_response.as_ref())
        && row.instructions == cleaned(decision.instructions.as_ref())
        && row.approved_actions == decision.actions;
    if !same {
        return Ok(Some(Decided::KeyReused));
    }
    Ok(Some(Decided::Replayed(Box::new(row.clone().try_into()?))))
}

/// Why the request cannot be decided on like this.
fn refused(
    asked: ApprovalRow,
    decision: &ApprovalDecision,
    seq: Option<i32>,
) -> Result<Option<Decided>, StoreError> {
    let asked = Box::new(Approval::try_from(asked)?);
    if asked.status != ApprovalStatus::Pending {
        return Ok(Some(Decided::AlreadyDecided(asked)));
    }
    if seq.is_some_and(|seq| seq != asked.seq) {
        return Ok(Some(Decided::Outdated(asked)));
    }
    if decision.status() == ApprovalStatus::SentBack && asked.redrafts_left == 0 {
        return Ok(Some(Decided::NoRedraftLeft(asked)));
    }
    let is_proposed = |name: &&String| asked.actions.iter().any(|action| action.name == **name);
    let unknown = decision.actions.iter().flatten().find(|name| !is_proposed(name)).cloned();
    Ok(unknown.map(|name| Decided::UnknownAction(name, asked)))
}

/// `None`: somebody else decided on the request meanwhile, or the run is over.
async fn signal_and_mark(
    connection: &mut PgConnection,
    ticket: RunId,
    request: i32,
    decision: &ApprovalDecision,
    actor: &Actor,
) -> Result<Option<Sent>, StoreError> {
    let mut transaction = connection.begin().await.map_err(StoreError::database("begin a decision"))?;
    let payload = to_raw_value(decision).map_err(StoreError::Encode)?;
    let sent = signal::send(&mut transaction, ticket, APPROVAL_SIGNAL, &payload, actor).await?;
    if sent.is_some() && mark(&mut transaction, ticket, request, decision).await? {
        transaction.commit().await.map_err(StoreError::database("commit a decision"))?;
        return Ok(sent);
    }
    transaction.rollback().await.map_err(StoreError::database("take back a decision"))?;
    Ok(None)
}

/// Marks the request. False: it is pending no longer.
async fn mark(
    connection: &mut PgConnection,
    ticket: RunId,
    request: i32,
    decision: &ApprovalDecision,
) -> Result<bool, StoreError> {
    let status = decision.status();
    let instructions = decision.instructions.as_ref().filter(|_| status == ApprovalStatus::SentBack);
    let marked = sqlx::query!(
        "UPDATE approvals
         SET status = $4, decided_at = engine_now(), decided_by = $5, reason = $6, edited_response = $7,
             instructions = $8, approved_actions = $9, decision_key = $10
         WHERE bucket = $1 AND ticket_id = $2 AND seq = $3 AND is_open AND status = 'pending'",
        ticket.bucket().as_i16(),
        ticket.as_uuid(),
        request,
        status.as_str(),
        &*clean::text(&decision.decided_by),
        cleaned(decision.reason.as_ref()),
        cleaned(decision.edited_response.as_ref()),
        cleaned(instructions),
        decision.actions.as_deref(),
        decision.key.as_deref(),
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("mark a decision"))?;
    Ok(marked.rows_affected() == 1)
}

fn cleaned(text: Option<&String>) -> Option<String> {
    text.map(|text| clean::text(text).into_owned())
}
