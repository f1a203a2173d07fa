//! `ticketflow tickets edit`: what an agent corrects about a ticket.

use crate::{
    exit::Exit,
    http::Api,
    output::{Format, out, print_one, text},
};
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// What to change; what is left out stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct EditArgs {
    /// Id of the ticket
    id: String,
    /// Who changes it: kept in the event log [default: your user name]
    #[arg(long, env = "USER", value_name = "NAME", hide_env = true)]
    by: String,
    /// What it is about
    #[arg(long)]
    category: Option<String>,
    /// How soon somebody must look at it: low, medium, high, urgent
    #[arg(long)]
    priority: Option<String>,
    /// A thing that it names, as in `order_id=ORD-48213`; a value that is JSON is taken as such. May be repeated
    #[arg(long = "entity", value_name = "NAME=VALUE", value_parser = parse_entity)]
    entities: Vec<(String, Value)>,
    /// This file's text as the reply
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    /// Who works it; an empty name: nobody any more
    #[arg(long)]
    assignee: Option<String>,
    /// One of all its tags; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

pub(crate) async fn edit(args: EditArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let (path, changes) = (format!("/tickets/{}", args.id), changes(args)?);
    if changes.len() < 2 {
        return Err(Exit::Usage
            .with("say what to change: --category, --priority, --entity, --reply, --assignee, --tag"));
    }
    let seen: Value = api.get(&path, &[]).await?;
    let version = format!("\"{}\"", seen["version"]);
    let ticket: Value = api.patch(&path, &Value::Object(changes), &version).await?;
    match format {
        Format::Table => out(&format!(
            "edited {}; category {}, priority {}",
            text(&ticket["id"]),
            text(&ticket["category"]),
            text(&ticket["priority"]),
        )),
        Format::Json | Format::Jsonl | Format::Csv | Format::Ids => print_one(&ticket, format, "id"),
    }
}

fn changes(args: EditArgs) -> anyhow::Result<Map<String, Value>> {
    let mut changes = Map::from_iter([("edited_by".to_owned(), json!(args.by))]);
    let mut set = |name: &str, value: Value| drop(changes.insert(name.to_owned(), value));
    if let Some(category) = args.category {
        set("category", json!(category));
    }
    if let Some(priority) = args.priority {
        set("priority", json!(priority));
    }
    if !args.entities.is_empty() {
        set("entities", Value::Object(args.entities.into_iter().collect()));
    }
    if let Some(file) = args.reply {
        let reply = std::fs::read_to_string(&file);
        set("final_response", json!(reply.with_context(|| format!("cannot read {}", file.display()))?));
    }
    if let Some(assignee) = args.assignee {
        set("assignee", json!(Some(assignee).filter(|name| !name.is_empty())));
    }
    if !args.tags.is_empty() {
        set("tags", json!(args.tags));
    }
    Ok(changes)
}

fn parse_entity(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it like order_id=ORD-48213")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    // A number is an id to whoever types it.
    let value = if value.is_number() { Value::String(value.to_string()) } else { value };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_a_text_unless_it_is_json() {
        let value = |text: &str| parse_entity(text).unwrap().1;
        assert_eq!(value("order_id=ORD-1"), json!("ORD-1"));
        assert_eq!(value("order_id=10234"), json!("10234"));
        assert_eq!(value("order_id=null"), Value::Null);
        assert_eq!(value("order_ids=[\"ORD-1\"]"), json!(["ORD-1"]));
        assert!(parse_entity("order_id").is_err());
    }
}
