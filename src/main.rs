//! ticketflow: a durable workflow engine on PostgreSQL, and AI triage of support tickets on top of it.

mod command;
mod config;
mod database;
mod exit;
mod http;
mod nearest;
mod output;
mod postgres;
mod quality;
mod runtime;
mod schema;
mod telemetry;

use clap::{CommandFactory, Parser};
use command::{
    audit, bench, demo, doctor, eval, fake_llm, healthcheck, kb, migrate, runs, serve, tickets, train,
    workflow,
};
use config::{Config, GlobalArgs};
use exit::Exit;
use http::Api;
use output::{Format, say};
use std::process::ExitCode;

/// Steps allocate many small pieces on many threads: with the system's allocator that was a quarter of their time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A durable workflow engine on PostgreSQL, with AI triage of support tickets.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    /// How results are printed
    #[arg(long, short = 'o', global = true, value_enum)]
    output: Option<Format>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Database, API and worker in one process
    Up(serve::UpArgs),
    /// The API alone
    Api(serve::ApiArgs),
    /// A worker alone
    Worker(serve::WorkerCommand),
    /// Bring the schema up to date
    Migrate(migrate::MigrateArgs),
    /// See it at work: sample tickets, a worker killed, its runs taken over, an audit
    Demo(demo::DemoArgs),
    /// Submit tickets, look at them, wait for them
    #[command(subcommand)]
    Tickets(tickets::TicketsCommand),
    /// Fill the knowledge base, search it
    #[command(subcommand)]
    Kb(kb::KbCommand),
    /// Resume, cancel, pause, fork, explain
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Draw workflows
    #[command(subcommand)]
    Workflow(workflow::WorkflowCommand),
    /// Check the invariants on the live database
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Look at the installation and say what to mend
    Doctor,
    /// Ask the API whether it is healthy; for containers
    Healthcheck,
    /// Learn categories from labelled tickets, and say how well
    Train(train::TrainArgs),
    /// Say how well labelled tickets are read
    Eval(eval::EvalArgs),
    /// Measure the engine on a scratch database
    Bench(Box<bench::BenchArgs>),
    /// A model server that understands nothing and fails on demand; for tests and demonstrations
    FakeLlm(fake_llm::FakeLlmArgs),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether people watch the command's own output rather than its log.
    const fn is_quiet(&self) -> bool {
        !matches!(self, Self::Up(_) | Self::Api(_) | Self::Worker(_))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            exit::code_of(&error)
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    telemetry::start_logging(&cli.global, cli.command.is_quiet())?;
    let api = Api::new(&cli.global.url)?;
    let config = Config::load(cli.global).map_err(|error| Exit::Usage.with(format!("{error:#}")))?;
    match cli.command {
        Command::Up(args) => serve::up(args, &config).await,
        Command::Api(args) => serve::api(args, &config).await,
        Command::Worker(args) => serve::worker(args, &config).await,
        Command::Migrate(args) => migrate::run(&args, &config).await,
        Command::Demo(args) => demo::run(args, cli.output, config).await,
        Command::Tickets(command) => tickets::run(command, &api, cli.output).await,
        Command::Kb(command) => kb::run(command, &api, cli.output).await,
        Command::Runs(command) => runs::run(command, &api, cli.output).await,
        Command::Workflow(command) => workflow::run(command, cli.output, &config),
        Command::Audit(command) => audit::run(command, cli.output, &config).await,
        Command::Doctor => doctor::run(&config, &api, cli.output).await,
        Command::Healthcheck => healthcheck::run(&api).await,
        Command::Train(args) => train::run(args, cli.output, &config).await,
        Command::Eval(args) => eval::run(&args, cli.output, &config),
        Command::Bench(args) => bench::run(*args, cli.output, &config).await,
        Command::FakeLlm(args) => fake_llm::run(args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ticketflow", &mut script);
            output::out(String::from_utf8_lossy(&script).trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
