//! `ticketflow tickets list`, `get`, `events` and `wait`

use crate::{
    config::parse_duration,
    exit::Exit,
    http::Api,
    output::{Column, Format, print, print_led, say},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIST_COLUMNS: [Column; 7] = [
    ("ID", "id"),
    ("STATUS", "status"),
    ("CATEGORY", "result.category"),
    ("PRIORITY", "result.priority"),
    ("ACTION", "result.action"),
    ("CUSTOMER", "customer_id"),
    ("SUBJECT", "subject"),
];

/// Where in a payload the word stands that says most, most telling first.
const TELLING: [&str; 6] = ["/reason", "/error/message", "/message", "/signal", "/topic", "/cause"];

/// What people look for first in a ticket.
const LEADING: [&str; 6] = ["id", "status", "subject", "category", "priority", "action"];

const EVENT_COLUMNS: [Column; 8] = [
    ("SEQ", "seq"),
    ("TIME", "created_at"),
    ("EVENT", "event_type"),
    ("STEP", "step_name"),
    ("ATTEMPT", "attempt"),
    ("MS", "duration_ms"),
    ("ACTOR", "actor"),
    ("DETAIL", "detail"),
];

/// States in which nothing happens any more by itself.
const SETTLED: [&str; 5] = ["awaiting_approval", "completed", "failed_permanent", "cancelled", "paused"];

/// Which tickets to list.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only those in this state
    #[arg(long)]
    status: Option<String>,
    /// Only those of this category
    #[arg(long)]
    category: Option<String>,
    /// Only those of this priority
    #[arg(long)]
    priority: Option<String>,
    /// Only those of this customer
    #[arg(long)]
    customer_id: Option<String>,
    /// Only those that contain these words
    #[arg(long, short)]
    query: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// One ticket.
#[derive(Debug, clap::Args)]
pub(crate) struct IdArgs {
    /// Id of the ticket
    id: String,
}

/// What to wait for.
#[derive(Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// Ids of the tickets
    #[arg(required = true)]
    ids: Vec<String>,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = parse_duration)]
    timeout: Duration,
}

pub(crate) async fn list(args: ListArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let filters = [
        ("status", args.status),
        ("category", args.category),
        ("priority", args.priority),
        ("customer_id", args.customer_id),
        ("q", args.query),
    ];
    let filters: Vec<(&str, String)> =
        filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let mut tickets: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    while tickets.len() < args.limit {
        let mut query = filters.clone();
        query.push(("limit", (args.limit - tickets.len()).min(200).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page: Value = api.get("/tickets", &query).await?;
        if let Value::Array(found) = page["tickets"].take() {
            tickets.extend(found);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    print(&tickets, format, &LIST_COLUMNS, "id")
}

pub(crate) async fn get(args: IdArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let ticket: Value = api.get(&format!("/tickets/{}", args.id), &[]).await?;
    print_led(&ticket, format, &LEADING)
}

pub(crate) async fn events(args: IdArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let mut events = all_events(api, &args.id).await?;
    if format == Format::Table {
        for event in &mut events {
            event["detail"] = detail(event);
        }
    }
    print(&events, format, &EVENT_COLUMNS, "id")
}

/// What an event says most, in a word or a sentence.
fn detail(event: &Value) -> Value {
    let payload = &event["payload"];
    if let Some(telling) = TELLING.iter().find_map(|path| payload.pointer(path)) {
        return telling.clone();
    }
    match (payload["next"].as_str(), event["event_type"].as_str()) {
        (Some(next), _) => json!(format!("next: {next}")),
        // An auditor's word that several kinds share.
        (None, Some("status_change")) => event["kind"].clone(),
        (None, _) => Value::Null,
    }
}

/// The whole log of a ticket, page by page.
pub(crate) async fn all_events(api: &Api, id: &str) -> anyhow::Result<Vec<Value>> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let after = events.last().map(|event| event["seq"].to_string());
        let query: Vec<_> = after.into_iter().map(|after| ("after", after)).collect();
        let page: Vec<Value> = api.get(&format!("/tickets/{id}/events"), &query).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

pub(crate) async fn wait(args: WaitArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let until = Instant::now() + args.timeout;
    let mut done = Vec::with_capacity(args.ids.len());
    for id in &args.ids {
        done.push(settled(api, id, until).await?);
    }
    print(&done, format, &LIST_COLUMNS, "id")
}

async fn settled(api: &Api, id: &str, until: Instant) -> anyhow::Result<Value> {
    let mut pause = Duration::from_millis(50);
    loop {
        let ticket: Value = api.get(&format!("/tickets/{id}"), &[]).await?;
        let status = ticket["status"].as_str().unwrap_or_default();
        if SETTLED.contains(&status) {
            return Ok(ticket);
        }
        if Instant::now() >= until {
            say(&format!("see why with: ticketflow runs explain {id}"));
            return Err(Exit::Failed.with(format!("ticket {id} is still {status}")));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_an_easy_ticket_says_what_it_led_to() {
        let cases = [
            (json!({ "payload": { "next": "extract", "output": {} } }), json!("next: extract")),
            (json!({ "payload": { "reason": "lunch", "next": "x" } }), json!("lunch")),
            (
                json!({ "event_type": "status_change", "kind": "completed", "payload": {} }),
                json!("completed"),
            ),
            (json!({ "event_type": "created", "kind": "created", "payload": {} }), Value::Null),
        ];
        for (event, expected) in cases {
            assert_eq!(detail(&event), expected, "{event}");
        }
    }
}
