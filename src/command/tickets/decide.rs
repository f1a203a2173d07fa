//! `ticketflow tickets approve` and `reject`: what a person decides about a draft.

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
    });
    decide(&args.decision.id, &body, api, format).await
}

pub(crate) async fn reject(args: RejectArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let body = json!({ "approved": false, "decided_by": args.decision.by, "reason": args.reason });
    decide(&args.decision.id, &body, api, format).await
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
        ("approved", true) => "with another reply",
        ("approved", false) => "with its draft as the reply",
        _ => "with action handoff and no reply",
    };
    format!("{status} {id} by {by}; a worker completes it {outcome}")
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
    }
}
