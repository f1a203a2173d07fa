//! The one binary.

mod command;
mod database;
mod output;
mod postgres;

use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
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
    let database = database::Database::new(cli.database_url);
    match cli.command {
        Command::Bench(args) => command::bench::run(args, &database).await,
    }
}
