//! The bundled sample tickets, submitted over HTTP.

use crate::http::Api;
use anyhow::Context as _;
use serde_json::{Value, json};
use ticketflow_engine::clock::entropy;

const SAMPLES: &str = include_str!("../../../tickets/data/samples/tickets.jsonl");
/// What POST /tickets takes; the rest of a sample is what it is expected to become.
const FIELDS: [&str; 5] = ["subject", "body", "customer_id", "channel", "metadata"];

/// Every sample, as POST /tickets takes it.
pub(crate) fn all() -> anyhow::Result<Vec<Value>> {
    SAMPLES.lines().filter(|line| !line.trim().is_empty()).map(one).collect()
}

fn one(line: &str) -> anyhow::Result<Value> {
    let sample: Value = serde_json::from_str(line).context("a bundled sample is not JSON")?;
    let mut ticket = json!({});
    for field in FIELDS {
        if !sample[field].is_null() {
            ticket[field] = sample[field].clone();
        }
    }
    Ok(ticket)
}

/// Submits every sample; returns the tickets' ids. Each demo's keys are its own, so that its tickets are new.
pub(super) async fn submit(api: &Api) -> anyhow::Result<Vec<String>> {
    let demo = u64::from_le_bytes(entropy());
    let mut ids = Vec::new();
    for (number, ticket) in all()?.into_iter().enumerate() {
        let key = [("idempotency-key", format!("demo-{demo:016x}-{number}"))];
        let answer = api.post_keyed::<Value>("/tickets", &ticket, &key).await?.body;
        ids.push(answer["ticket_id"].as_str().context("the API's answer has no ticket_id")?.to_owned());
    }
    Ok(ids)
}
