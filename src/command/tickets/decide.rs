//! `ticketflow tickets approve`, `redraft` and `reject`: what a person decides about a draft.

use crate::{
    http::Api,
    output::{Format, out, print_one, text},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Whose draft, and who decides.
#[derive(Debug, clap::Args)]
struct DecisionArgs {
    /// Id of the ticket
    id: String,
    /// Who decides: kept in the event log [default: your user name]
    #[arg(long, env = "USER", value_name = "NAME", hide_env = true)]
    by: String,
    /// Decide on this request alone, as `seq` of /approvals names it
    #[arg(long)]
    seq: Option<i32>,
}

/// How to agree.
#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    decision: DecisionArgs,
    /// Why: kept in the event log
    #[arg(long)]
    reason: Option<String>,
    /// Answer with this file's text in place of the draft
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    /// Do this of the proposed actions, and no other that is not named too; may be repeated [default: all]
    #[arg(long = "action", value_name = "NAME", conflicts_with = "no_actions")]
    actions: Vec<String>,
    /// Do none of the proposed actions
    #[arg(long)]
    no_actions: bool,
}

/// How to ask for another draft.
#[derive(Debug, clap::Args)]
pub(crate) struct RedraftArgs {
    #[command(flatten)]
    decision: DecisionArgs,
    /// What it is to do differently
    #[arg(long)]
    instructions: String,
}

/// How to refuse.
#[derive(Debug, clap::Args)]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    decision: DecisionArgs,
    /// Why: kept in the event log
    #[arg(long)]
    reason: String,
}

pub(crate) async fn approve(args: ApproveArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let reply = args.reply.map(|file| {
        std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    });
    let body = json!({
        "approved": true,
        "decided_by": args.decision.by,
        "reason": args.reason,
        "edited_response": reply.transpose()?,
        "actions": (args.no_actions || !args.actions.is_empty()).then_some(args.actions),
        "seq": args.decision.seq,
    });
    decide(&args.decision.id, &body, api, format).await
}

pub(crate) async fn redraft(args: RedraftArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let DecisionArgs { id, by, seq } = args.decision;
    let body = json!({ "approved": false, "decided_by": by, "instructions": args.instructions, "seq": seq });
    decide(&id, &body, api, format).await
}

pub(crate) async fn reject(args: RejectArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let DecisionArgs { id, by, seq } = args.decision;
    let body = json!({ "approved": false, "decided_by": by, "reason": args.reason, "seq": seq });
    decide(&id, &body, api, format).await
}

async fn decide(id: &str, body: &Value, api: &Api, format: Format) -> anyhow::Result<()> {
    let approval: Value = api.post(&format!("/approvals/{id}/decide"), body).await?.body;
    match format {
        Format::Table => out(&done(&approval)),
        Format::Json | Format::Jsonl | Format::Csv | Format::Ids => print_one(&approval, format, "id"),
    }
}

/// What was decided, and what comes of it.
fn done(approval: &Value) -> String {
    let [id, status, by] = ["id", "status", "decided_by"].map(|name| text(&approval[name]));
    let outcome = match (status.as_str(), approval["edited_response"].is_string()) {
        ("approved", true) => "a worker completes it with another reply".to_owned(),
        ("approved", false) => "a worker completes it with its draft as the reply".to_owned(),
        ("sent_back", _) => {
            let left = approval["redrafts_left"].as_u64().unwrap_or(0);
            format!("a worker drafts it again; {left} more can be asked for")
        }
        _ => "a worker completes it with action handoff and no reply".to_owned(),
    };
    format!("{} {id} by {by}; {outcome}{}", status.replace('_', " "), doing(approval))
}

/// What is done besides the reply.
fn doing(approval: &Value) -> String {
    if approval["status"] != "approved" {
        return String::new();
    }
    let proposed = approval["actions"].as_array().into_iter().flatten().map(|action| text(&action["name"]));
    let approved = approval["approved_actions"].as_array();
    let is_approved =
        |name: &String| approved.is_none_or(|names| names.iter().any(|known| text(known) == *name));
    let doing: Vec<String> = proposed.filter(is_approved).collect();
    if doing.is_empty() { String::new() } else { format!(" after {}", doing.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_told_in_one_line_with_what_comes_of_it() {
        let told = |status: &str, reply: Value| {
            done(&json!({ "id": "t1", "status": status, "decided_by": "ada", "edited_response": reply }))
        };
        let draft = told("approved", Value::Null);
        assert_eq!(draft, "approved t1 by ada; a worker completes it with its draft as the reply");
        assert!(told("approved", json!("Dear …")).ends_with("with another reply"));
        assert!(told("rejected", Value::Null).ends_with("with action handoff and no reply"));
        let again = json!({ "id": "t1", "status": "sent_back", "decided_by": "ada", "redrafts_left": 2 });
        assert_eq!(done(&again), "sent back t1 by ada; a worker drafts it again; 2 more can be asked for");
        let acting = json!({
            "id": "t1", "status": "approved", "decided_by": "ada", "actions": [{ "name": "a" }, { "name": "b" }],
            "approved_actions": ["b"],
        });
        assert!(done(&acting).ends_with("with its draft as the reply after b"));
    }
}
