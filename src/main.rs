//! The one binary.

mod command;
mod database;
mod output;
mod postgres;

use clap::Parser;
use postgres::{EmbeddedError, EmbeddedOptions, EmbeddedPostgres};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Cli {
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Where the embedded database lies, if no other is named.
    #[arg(long, env = "TICKETFLOW_DATA_DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Bench(command::bench::BenchArgs),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter("info").init();
    let cli = Cli::parse();
    match cli.database_url {
        Some(url) => run(cli.command, url).await,
        None => Box::pin(run_embedded(cli.command, cli.data_dir)).await,
    }
}

async fn run(command: Command, url: String) -> anyhow::Result<()> {
    let database = database::Database::new(url);
    match command {
        Command::Bench(args) => command::bench::run(args, &database).await,
    }
}

/// Runs the command on the embedded database: its own, or that of a process that already runs it.
async fn run_embedded(command: Command, data_dir: Option<PathBuf>) -> anyhow::Result<()> {
    let options = EmbeddedOptions { data_dir: data_dir.clone(), download: true, settings: Vec::new() };
    let postgres = match EmbeddedPostgres::start(options).await {
        Ok(postgres) => postgres,
        Err(error @ EmbeddedError::LockDataDir { .. }) => {
            let url = EmbeddedPostgres::running(data_dir)?.ok_or(error)?;
            return run(command, url).await;
        }
        Err(error) => return Err(error.into()),
    };
    tracing::debug!(postgres.pid = postgres.server_pid(), postgres.data_dir = %postgres.data_dir().display(), "embedded");
    let shutdown = CancellationToken::new();
    let work = async {
        let url = postgres.database_url().to_owned();
        let done = tokio::select! {
            done = run(command, url) => done,
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
        };
        shutdown.cancel();
        done
    };
    let (done, ()) = tokio::join!(work, postgres.supervise(shutdown.clone()));
    postgres.stop().await?;
    done
}
