//! `ticketflow workflow graph`: pictures of the workflows, without a database.

use crate::{
    config::Config,
    exit::Exit,
    output::{self, out},
    runtime,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use ticketflow_engine::graph::{self, Format};

/// What to do with workflows.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WorkflowCommand {
    /// Draw a workflow
    Graph {
        /// Name of the workflow
        #[arg(default_value = "ticket_triage")]
        name: String,
        /// Notation
        #[arg(long, short, default_value = "ascii", value_parser = parse_format)]
        format: Format,
    },
}

fn parse_format(name: &str) -> Result<Format, String> {
    Format::parse(name).ok_or_else(|| {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
        format!("use one of {}", names.join(", "))
    })
}

pub(crate) fn run(
    command: WorkflowCommand,
    output: Option<output::Format>,
    config: &Config,
) -> anyhow::Result<()> {
    if output.is_some_and(|output| output != output::Format::Table) {
        return Err(Exit::Usage.with("a graph is a picture: choose its notation with --format instead of -o"));
    }
    let WorkflowCommand::Graph { name, format } = command;
    // Definitions hold a pool; drawing them does not use it.
    let pool = PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new());
    let catalog = runtime::catalog(config, pool)?;
    let definition = catalog.latest(&name).ok_or_else(|| {
        let known: Vec<String> = catalog.iter().map(|definition| definition.id.to_string()).collect();
        Exit::NotFound.with(format!("there is no workflow {name}; there is {}", known.join(", ")))
    })?;
    out(graph::draw(definition, format).trim_end())
}
