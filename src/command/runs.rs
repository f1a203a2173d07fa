//! `ticketflow runs`: what operators do.

use crate::{
    http::Api,
    output::{Column, Format, out, print, print_one, printable, text},
};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The attempt as `tickets events` has it, which starts anew when an operator sets the run; and all in the log.
const STEP_COLUMNS: [Column; 6] = [
    ("STEP", "name"),
    ("STATUS", "status"),
    ("ATTEMPT", "attempt"),
    ("IN ALL", "attempts"),
    ("MS", "duration_ms"),
    ("ERROR", "last_error.message"),
];

/// What to do with a run.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RunsCommand {
    /// Let a paused, failed or cancelled run go on
    Resume(ResumeArgs),
    /// End a run
    Cancel(ActionArgs),
    /// Stop a run until it is resumed
    Pause(ActionArgs),
    /// End a backoff or a sleep now
    Retry(ActionArgs),
    /// Start a new run from a step of another
    Fork(ForkArgs),
    /// Say in words what a run is doing and why it does not move
    Explain(ExplainArgs),
}

/// A run and a reason.
#[derive(Debug, clap::Args)]
pub(crate) struct ActionArgs {
    /// Id of the ticket
    id: String,
    /// Why: kept in the event log
    #[arg(long)]
    reason: String,
}

/// How to resume.
#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    action: ActionArgs,
    /// Step to go on from [default: where it stood]
    #[arg(long, value_name = "STEP")]
    from_step: Option<String>,
    /// Replace a step's output, as in `--edit extract=output.json`; may be repeated
    #[arg(long = "edit", value_name = "STEP=FILE", value_parser = parse_edit)]
    edits: Vec<(String, PathBuf)>,
}

/// How to fork.
#[derive(Debug, clap::Args)]
pub(crate) struct ForkArgs {
    #[command(flatten)]
    action: ActionArgs,
    /// Step the new run starts with
    #[arg(long, value_name = "STEP")]
    from_step: String,
    /// Replace the output of the step before it with this file's
    #[arg(long, value_name = "FILE")]
    edit: Option<PathBuf>,
}

/// A run.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// Id of the ticket
    id: String,
}

pub(crate) async fn run(command: RunsCommand, api: &Api, format: Option<Format>) -> anyhow::Result<()> {
    let format = format.unwrap_or_default();
    let (id, verb, body) = match command {
        RunsCommand::Explain(args) => return explain(&args.id, api, format).await,
        RunsCommand::Cancel(args) => (args.id, "cancel", json!({ "reason": args.reason })),
        RunsCommand::Pause(args) => (args.id, "pause", json!({ "reason": args.reason })),
        RunsCommand::Retry(args) => (args.id, "retry", json!({ "reason": args.reason })),
        RunsCommand::Resume(args) => {
            let mut body = json!({ "reason": args.action.reason, "edited_outputs": edited(&args.edits)? });
            body["from_step"] = json!(args.from_step);
            (args.action.id, "resume", body)
        }
        RunsCommand::Fork(args) => {
            let mut body = json!({ "reason": args.action.reason, "from_step": args.from_step });
            if let Some(file) = args.edit {
                body["edited_output"] = read_json(&file)?;
            }
            (args.action.id, "fork", body)
        }
    };
    let answer: Value = api.post(&format!("/tickets/{id}/{verb}"), &body).await?.body;
    match format {
        Format::Table => out(&done(verb, &answer)),
        Format::Json | Format::Jsonl | Format::Csv | Format::Ids => print_one(&answer, format, "ticket_id"),
    }
}

/// What happened, and what comes next.
fn done(verb: &str, answer: &Value) -> String {
    let (id, step) = (text(&answer["ticket_id"]), text(&answer["run"]["step"]));
    let next = match &answer["run"]["waits_because"] {
        Value::String(reason) => waits(reason),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            "a worker takes it up".to_owned()
        }
    };
    match verb {
        "pause" => {
            format!("paused {id} at step {step}; it goes on with: ticketflow runs resume {id} --reason …")
        }
        "cancel" => {
            format!(
                "cancelled {id} at step {step}; it can be brought back with: ticketflow runs resume {id} --reason …"
            )
        }
        "resume" => format!("resumed {id} at step {step}; {next}"),
        "retry" => format!("{id} tries step {step} again; {next}"),
        _ => {
            let parent = text(&answer["forked_from"]);
            format!("forked {parent} into {id}; see it through with: ticketflow tickets wait {id}")
        }
    }
}

/// What it waits for, or the fact that keeps it waiting.
fn waits(reason: &str) -> String {
    let colon = if reason.starts_with("for ") { "" } else { ":" };
    format!("it waits{colon} {}", printable(reason))
}

/// Reads `STEP=FILE`.
fn parse_edit(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((step, file)) if !step.is_empty() && !file.is_empty() => Ok((step.to_owned(), file.into())),
        _ => Err("use STEP=FILE, as in extract=output.json".to_owned()),
    }
}

fn edited(edits: &[(String, PathBuf)]) -> anyhow::Result<Map<String, Value>> {
    edits.iter().map(|(step, file)| Ok((step.clone(), read_json(file)?))).collect()
}

fn read_json(file: &Path) -> anyhow::Result<Value> {
    let json = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&json).with_context(|| format!("{} is not JSON", file.display()))
}

async fn explain(id: &str, api: &Api, format: Format) -> anyhow::Result<()> {
    let run: Value = api.get(&format!("/tickets/{id}/run"), &[]).await?;
    if format != Format::Table {
        return print_one(&run, format, "id");
    }
    let at = format!("{} at step {}", text(&run["status"]), text(&run["step"]));
    out(&run["waits_because"].as_str().map_or(at.clone(), |reason| format!("{at}; {}", waits(reason))))?;
    if !run["lease"].is_null() {
        let (worker, until) = (text(&run["lease"]["worker"]), text(&run["lease"]["until"]));
        out(&format!("held by {worker}, whose lease ends at {until} unless renewed"))?;
    }
    let steps = run["steps"].as_array().cloned().unwrap_or_default();
    print(&steps, Format::Table, &STEP_COLUMNS, "name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_told_in_one_line_with_what_comes_next() {
        let answer = |waits: Value| json!({ "ticket_id": "t1", "forked_from": "t0", "run": { "step": "draft", "waits_because": waits } });
        let cases = [
            ("pause", json!("api paused it"), "ticketflow runs resume t1"),
            ("cancel", Value::Null, "cancelled t1 at step draft"),
            ("resume", json!("for a worker"), "resumed t1 at step draft; it waits for a worker"),
            ("resume", json!("its queue q is paused"), "; it waits: its queue q is paused"),
            ("retry", Value::Null, "t1 tries step draft again; a worker takes it up"),
            ("fork", Value::Null, "forked t0 into t1; see it through with: ticketflow tickets wait t1"),
        ];
        for (verb, waits, expected) in cases {
            let line = done(verb, &answer(waits));
            assert!(line.contains(expected) && line.lines().count() == 1, "{line}");
        }
    }

    #[test]
    fn an_edit_names_a_step_and_a_file() {
        assert_eq!(parse_edit("extract=a=b.json"), Ok(("extract".to_owned(), "a=b.json".into())));
        assert!(parse_edit("extract").is_err() && parse_edit("=x").is_err());
    }
}
