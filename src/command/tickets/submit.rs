//! `ticketflow tickets submit`

use crate::{
    http::Api,
    output::{Format, print_one, say},
};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::io::Read;

/// A ticket, field by field.
#[derive(Debug, clap::Args)]
pub(crate) struct SubmitArgs {
    /// What it is about, at most 500 characters
    #[arg(long)]
    subject: String,
    /// The message; `-` reads it from standard input
    #[arg(long)]
    body: String,
    /// Who wrote it
    #[arg(long)]
    customer_id: String,
    /// How it came: email, chat, web, phone, api, import
    #[arg(long)]
    channel: Option<String>,
    /// Anything else, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse_metadata)]
    metadata: Option<Map<String, Value>>,
    /// Key that makes a repetition the same request
    #[arg(long)]
    idempotency_key: Option<String>,
    /// Wait up to this many seconds for the result
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u8).range(1..=60))]
    wait: Option<u8>,
}

pub(crate) async fn run(args: SubmitArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let mut ticket = json!({
        "subject": args.subject,
        "body": message(args.body)?,
        "customer_id": args.customer_id,
    });
    if let Some(channel) = args.channel {
        ticket["channel"] = Value::String(channel);
    }
    if let Some(metadata) = args.metadata {
        ticket["metadata"] = Value::Object(metadata);
    }
    let mut headers = Vec::new();
    headers.extend(args.idempotency_key.map(|key| ("idempotency-key", key)));
    headers.extend(args.wait.map(|seconds| ("prefer", format!("wait={seconds}"))));
    let answer = api.post_keyed::<Value>("/tickets", &ticket, &headers).await?;
    if answer.replayed {
        say("this ticket was submitted before; here it is again");
    }
    print_one(&answer.body, format, "ticket_id")
}

fn parse_metadata(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("use a JSON object: {error}"))
}

fn message(body: String) -> anyhow::Result<String> {
    if body != "-" {
        return Ok(body);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read the message from standard input")?;
    Ok(text)
}
