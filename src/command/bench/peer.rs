//! The modes by which a harness compares engines side by side, each on the database that `DATABASE_URL` names:
//! prepare it, enqueue, work, measure one run at a time.

use super::{
    connect, crew,
    latency::Heard,
    phases::{self, Bench},
};
use crate::{
    config::Config,
    output::{out, say},
    runtime::Home,
};
use serde_json::json;
use std::time::Duration;
use ticketflow_worker::Shutdown;
use tokio::io::AsyncReadExt as _;

/// How often a working process says how far it is.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// What the harness asks for.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub(crate) enum Mode {
    /// Create the tables
    #[command(hide = true)]
    Setup,
    /// Enqueue runs, and print how long that took
    #[command(hide = true)]
    Enqueue {
        /// How many
        runs: usize,
        /// From how many clients at once
        clients: usize,
    },
    /// Work until told to stop by a line on standard input, and print how many runs are done
    #[command(hide = true)]
    Work {
        /// Runs to advance at once
        capacity: usize,
    },
    /// Work as one of the processes of a phase
    #[command(hide = true)]
    Process {
        /// Runs to advance at once
        capacity: usize,
    },
    /// Measure runs one at a time, and print the times in milliseconds
    #[command(hide = true)]
    Lat {
        /// How many
        runs: usize,
    },
}

pub(super) async fn run(mode: Mode, config: &Config) -> anyhow::Result<()> {
    let server = Home::find(config)?.direct()?.connect(2).await?.pool;
    let options = (*server.connect_options()).clone();
    let pool = connect(options.clone()).await?;
    let capacity = if let Mode::Work { capacity } | Mode::Process { capacity } = mode { capacity } else { 1 };
    let bench = Bench::new(pool, options, capacity);
    match mode {
        Mode::Setup => Ok(ticketflow_engine::MIGRATOR.run(&bench.pool).await?),
        Mode::Enqueue { runs, clients } => {
            let client = bench.client().await?;
            let seconds = phases::enqueue(&client, runs, clients.max(1)).await?;
            out(&json!({"n": runs, "secs": seconds}).to_string())
        }
        Mode::Work { .. } => work(&bench).await,
        Mode::Process { .. } => crew::work(&bench).await,
        Mode::Lat { runs } => {
            let times = bench.one_at_a_time(runs, Heard::Within).await?;
            let millis = |times: &[Duration]| -> Vec<f64> {
                times.iter().map(|time| time.as_secs_f64() * 1_000.0).collect()
            };
            out(&json!({"pickup": millis(&times.pickups), "total": millis(&times.totals)}).to_string())
        }
    }
}

async fn work(bench: &Bench) -> anyhow::Result<()> {
    let client = bench.client().await?;
    let shutdown = Shutdown::default();
    let worker = bench.worker(&client, 0, &shutdown);
    out("READY")?;
    let mut input = tokio::io::stdin();
    let mut byte = [0; 1];
    let mut done = 0;
    loop {
        tokio::select! {
            _ = input.read(&mut byte) => break,
            () = tokio::time::sleep(REPORT_EVERY) => {
                // An idle worker is asked nothing, so that what it asks itself can be counted.
                if done < bench.progress.last_steps() {
                    done = completed(bench).await?;
                }
                out(&format!("C {done}"))?;
            }
        }
    }
    shutdown.request();
    worker.await?;
    say("stopped");
    Ok(())
}

/// Runs that are surely done: of those whose last step was run, as many as are advanced at once may not be committed yet,
/// until no run is left.
async fn completed(bench: &Bench) -> anyhow::Result<usize> {
    let last_steps = bench.progress.last_steps();
    let live = sqlx::query_scalar("SELECT EXISTS (SELECT FROM live_runs)").fetch_one(&bench.pool).await?;
    Ok(if live { last_steps.saturating_sub(bench.capacity) } else { last_steps })
}
