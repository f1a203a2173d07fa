//! Drafts that wait for a person, and the person's decision.

use crate::{
    extract::{Body, BodyDocument, Params, RunPath, idempotency_key, object},
    problem::{Code, Fault, Problem},
    routes::{REPLAYED, next_link},
    state::ApiState,
};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::Value;
use ticketflow_engine::pooler::settle;
use ticketflow_tickets::approval::{self, Approval, ApprovalCursor, ApprovalDecision, Decided};

/// Most requests on a page.
const MAX_PAGE: u16 = 200;
const PAGE: u16 = 50;
/// Most characters of who decided, and of why.
const MAX_NAME: usize = 200;
/// Most characters of a reply that replaces the draft.
const MAX_RESPONSE: usize = 20_000;
/// Most characters of what another draft is to do differently.
const MAX_INSTRUCTIONS: usize = 2_000;
/// Most actions that a decision names.
const MOST_ACTIONS: usize = 50;

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

/// What is decided, and on which request.
pub(crate) struct Decide {
    decision: ApprovalDecision,
    seq: Option<i32>,
}

impl BodyDocument for Decide {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        object(value, |fields| {
            let approved = fields.boolean("approved");
            let decided_by = fields.text("decided_by", MAX_NAME);
            let reason = fields.optional_text("reason", MAX_RESPONSE);
            let edited_response = fields.optional_text("edited_response", MAX_RESPONSE);
            let instructions = fields.optional_text("instructions", MAX_INSTRUCTIONS);
            let actions = fields.optional_texts("actions", MOST_ACTIONS, MAX_NAME);
            let seq = fields.optional_seq("seq");
            let approved = approved?;
            if approved {
                fields.without(
                    &instructions,
                    "instructions",
                    "go with \"approved\": false: they ask for another draft",
                )?;
            } else {
                fields.without(&edited_response, "edited_response", "goes with \"approved\": true")?;
                fields.without(&actions, "actions", "go with \"approved\": true")?;
            }
            let decision = ApprovalDecision {
                reason: reason?,
                edited_response: edited_response?,
                instructions: instructions?,
                actions: actions?,
                ..ApprovalDecision::plain(approved, &decided_by?)
            };
            Ok(Self { decision, seq: seq? })
        })
    }
}

/// `POST /approvals/{id}/decide`
pub(crate) async fn decide(
    State(state): State<ApiState>,
    RunPath(ticket): RunPath,
    headers: HeaderMap,
    Body(Decide { decision, seq }): Body<Decide>,
) -> Result<Response, Problem> {
    let decision = ApprovalDecision { key: idempotency_key(&headers)?, ..decision };
    let mut connection = state.connection().await?;
    let decided = approval::decide(&mut connection, ticket, &decision, seq, &state.actor()).await?;
    settle(&mut connection).await?;
    match decided {
        Decided::Accepted(sent, approval) => {
            if sent.woke.is_some() {
                state.client.wakeup().ready(state.client.pool(), 1);
            }
            Ok(Json(approval).into_response())
        }
        Decided::Replayed(approval) => Ok(([(REPLAYED, "true")], Json(approval)).into_response()),
        Decided::KeyReused => Err(Problem::bare(Code::KeyReused)),
        Decided::AlreadyDecided(approval) => Err(Problem::new(Code::Conflict, standing(&approval))),
        Decided::Outdated(approval) => Err(Problem::new(Code::Conflict, outdated(&approval))),
        Decided::NoRedraftLeft(approval) => Err(Problem::new(Code::Conflict, drafted_out(&approval))),
        Decided::UnknownAction(name, approval) => Err(Problem::invalid_body(vec![unknown(&name, &approval)])),
        Decided::NotAsked => {
            let detail = format!("no decision was ever asked for on a ticket {ticket}");
            Err(Problem::new(Code::NotFound, detail))
        }
    }
}

fn standing(approval: &Approval) -> String {
    let by = approval.decided_by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let at = approval
        .decided_at
        .map(|at| format!(" at {}", at.to_rfc3339_opts(SecondsFormat::Secs, true)))
        .unwrap_or_default();
    format!("the approval of ticket {} is {} already{by}{at}", approval.id, approval.status)
}

fn outdated(approval: &Approval) -> String {
    let Approval { id, seq, .. } = approval;
    format!("ticket {id} has another draft by now, asked about with seq {seq}: look at it and decide on that")
}

fn drafted_out(approval: &Approval) -> String {
    let id = approval.id;
    format!(
        "ticket {id} was drafted again as often as people may ask for it: approve it with an edited_response, or \
         reject it"
    )
}

fn unknown(name: &str, approval: &Approval) -> Fault {
    let proposed: Vec<&str> = approval.actions.iter().map(|action| action.name.as_str()).collect();
    let proposed = if proposed.is_empty() { "none".to_owned() } else { proposed.join(", ") };
    let shown: String = name.chars().take(60).collect();
    let detail = format!("{shown:?} is not proposed for this ticket; proposed: {proposed}");
    Fault { pointer: "/actions".to_owned(), code: "unknown_word", detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(body: &Value) -> Vec<String> {
        Decide::parse(body).err().unwrap().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_decision_names_who_decided() {
        let Decide { decision, seq } =
            Decide::parse(&json!({ "approved": true, "decided_by": " Ada ", "seq": 7 })).ok().unwrap();
        assert_eq!((decision.approved, decision.decided_by.as_str(), decision.reason), (true, "Ada", None));
        assert_eq!((decision.actions, seq), (None, Some(7)));
        assert_eq!(
            pointers(&json!({ "approved": 1, "decision": "yes", "seq": "7" })),
            ["/approved", "/decided_by", "/seq", "/decision"]
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let yes = json!({ "approved": true, "decided_by": "ada", "instructions": "shorter" });
        assert_eq!(pointers(&yes), ["/instructions"]);
        let no = json!({ "approved": false, "decided_by": "ada", "edited_response": "Hi", "actions": ["issue_refund"] });
        assert_eq!(pointers(&no), ["/edited_response"]);
        let none = json!({ "approved": true, "decided_by": "ada", "actions": [] });
        assert_eq!(Decide::parse(&none).ok().unwrap().decision.actions, Some(Vec::new()));
        assert_eq!(pointers(&json!({ "approved": true, "decided_by": "ada", "actions": [7] })), ["/actions"]);
    }
}
