//! Drafts that wait for a person, and the person's decision.

use crate::{
    extract::{Body, BodyDocument, Params, RunPath, object},
    problem::{Code, Fault, Problem},
    routes::next_link,
    state::ApiState,
};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::HeaderMap,
};
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;
use ticketflow_engine::{RunId, pooler::settle};
use ticketflow_tickets::approval::{self, Approval, ApprovalCursor, ApprovalDecision, Decided};

/// Most requests on a page.
const MAX_PAGE: u16 = 200;
const PAGE: u16 = 50;
/// Most characters of who decided, and of why.
const MAX_NAME: usize = 200;
/// Most characters of a reply that replaces the draft.
const MAX_RESPONSE: usize = 20_000;

/// A page on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct Approvals {
    approvals: Vec<Approval>,
    next_cursor: Option<String>,
}

/// `GET /approvals`
pub(crate) async fn list(
    State(state): State<ApiState>,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<(HeaderMap, Json<Approvals>), Problem> {
    let after = params.parsed("cursor", "a cursor of this list, unchanged", ApprovalCursor::parse)?;
    let limit = params.number("limit", 1, MAX_PAGE)?.unwrap_or(PAGE);
    params.finish()?;
    let mut connection = state.connection().await?;
    let pending = approval::list_pending(&mut connection, after, limit).await?;
    let link = pending.next.map(|next| next_link(uri.path(), &format!("cursor={next}&limit={limit}")));
    let next_cursor = pending.next.map(|next| next.to_string());
    Ok((link.unwrap_or_default(), Json(Approvals { approvals: pending.approvals, next_cursor })))
}

impl BodyDocument for ApprovalDecision {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        object(value, |fields| {
            let approved = fields.boolean("approved");
            let decided_by = fields.text("decided_by", MAX_NAME);
            let reason = fields.optional_text("reason", MAX_RESPONSE);
            let edited_response = fields.optional_text("edited_response", MAX_RESPONSE);
            Ok(Self {
                approved: approved?,
                decided_by: decided_by?,
                reason: reason?,
                edited_response: edited_response?,
            })
        })
    }
}

/// `POST /approvals/{id}/decide`
pub(crate) async fn decide(
    State(state): State<ApiState>,
    RunPath(ticket): RunPath,
    Body(decision): Body<ApprovalDecision>,
) -> Result<Json<Approval>, Problem> {
    let mut connection = state.connection().await?;
    let decided = approval::decide(&mut connection, ticket, &decision, &state.actor()).await?;
    let sent = accepted(decided, ticket)?;
    let approval = approval::get(&mut connection, ticket).await?;
    settle(&mut connection).await?;
    if sent.woke.is_some() {
        state.client.wakeup().ready(state.client.pool(), 1);
    }
    approval.map(Json).ok_or_else(|| not_asked(ticket))
}

fn accepted(decided: Decided, ticket: RunId) -> Result<ticketflow_engine::store::signal::Sent, Problem> {
    match decided {
        Decided::Accepted(sent) => Ok(sent),
        Decided::AlreadyDecided(approval) => Err(Problem::new(Code::Conflict, standing(&approval))),
        Decided::NotAsked => Err(not_asked(ticket)),
    }
}

fn not_asked(ticket: RunId) -> Problem {
    Problem::new(Code::NotFound, format!("no decision was ever asked for on a ticket {ticket}"))
}

fn standing(approval: &Approval) -> String {
    let by = approval.decided_by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let at = approval
        .decided_at
        .map(|at| format!(" at {}", at.to_rfc3339_opts(SecondsFormat::Secs, true)))
        .unwrap_or_default();
    format!("the approval of ticket {} is {} already{by}{at}", approval.id, approval.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_decision_names_who_decided() {
        let decision = ApprovalDecision::parse(&json!({ "approved": true, "decided_by": " Ada " })).unwrap();
        assert_eq!((decision.approved, decision.decided_by.as_str(), decision.reason), (true, "Ada", None));
        let faults = ApprovalDecision::parse(&json!({ "approved": 1, "decision": "yes" })).unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/approved", "/decided_by", "/decision"]);
    }
}
