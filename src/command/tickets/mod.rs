//! `ticketflow tickets`: submit, import, list, look at, wait for, decide on, edit.

mod decide;
mod edit;
mod import;
mod query;
mod submit;

pub(crate) use query::all_events;

use crate::{http::Api, output::Format};

/// What to do with tickets.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TicketsCommand {
    /// Submit one ticket
    Submit(submit::SubmitArgs),
    /// Submit the tickets of a CSV or JSONL file; safe to repeat
    Import(import::ImportArgs),
    /// List tickets
    List(query::ListArgs),
    /// Show a ticket
    Get(query::IdArgs),
    /// Show what happened to a ticket
    Events(query::IdArgs),
    /// Wait until tickets are done
    Wait(query::WaitArgs),
    /// Agree to a ticket's draft, which waits for a person
    Approve(decide::ApproveArgs),
    /// Ask for another draft of a ticket's reply
    Redraft(decide::RedraftArgs),
    /// Refuse a ticket's draft; a person takes the ticket over
    Reject(decide::RejectArgs),
    /// Correct what a ticket is about, how pressing it is, what it names; change its reply, assignee or tags
    Edit(edit::EditArgs),
}

pub(crate) async fn run(command: TicketsCommand, api: &Api, format: Option<Format>) -> anyhow::Result<()> {
    let format = format.unwrap_or_default();
    match command {
        TicketsCommand::Submit(args) => submit::run(args, api, format).await,
        TicketsCommand::Import(args) => import::run(args, api, format).await,
        TicketsCommand::List(args) => query::list(args, api, format).await,
        TicketsCommand::Get(args) => query::get(args, api, format).await,
        TicketsCommand::Events(args) => query::events(args, api, format).await,
        TicketsCommand::Wait(args) => query::wait(args, api, format).await,
        TicketsCommand::Approve(args) => decide::approve(args, api, format).await,
        TicketsCommand::Redraft(args) => decide::redraft(args, api, format).await,
        TicketsCommand::Reject(args) => decide::reject(args, api, format).await,
        TicketsCommand::Edit(args) => edit::edit(args, api, format).await,
    }
}
