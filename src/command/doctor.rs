//! `ticketflow doctor`: looks at the installation and says what to do about what it finds.

use crate::{
    config::Config,
    exit::Exit,
    http::Api,
    output::out,
    runtime::{self, Home},
};
use chrono::TimeDelta;
use sqlx::PgPool;
use ticketflow_engine::{
    Clock,
    store::{lease, stats},
};

/// The most by which the clocks of this machine and of the database may differ.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(2);

#[derive(Default)]
struct Findings {
    bad: usize,
}

impl Findings {
    fn bad(&mut self, text: &str, fix: &str) -> anyhow::Result<()> {
        self.bad += 1;
        out(&format!("BAD   {text}\n      fix: {fix}"))
    }
}

fn good(text: &str) -> anyhow::Result<()> {
    out(&format!("ok    {text}"))
}

pub(crate) async fn run(config: &Config, api: &Api) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    match Home::find(config) {
        Ok(database) => match database.connect(2).await {
            Ok(pool) => check_database(&pool, config, &mut findings).await?,
            Err(error) => findings.bad(&format!("{error:#}"), "start the server, or correct DATABASE_URL")?,
        },
        Err(error) => findings.bad(&error.to_string(), "ticketflow up")?,
    }
    match api.text("/health").await {
        Ok(_) => good(&format!("the API at {} is healthy", config.args.url))?,
        Err(error) => findings.bad(&format!("{error:#}"), "ticketflow up, or ticketflow api")?,
    }
    match findings.bad {
        0 => Ok(()),
        bad => Err(Exit::Failed.with(format!("{bad} things to mend"))),
    }
}

async fn check_database(pool: &PgPool, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let version: i32 =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::integer").fetch_one(pool).await?;
    match version {
        140_000.. => good(&format!("PostgreSQL {}", version / 10_000))?,
        _ => {
            findings
                .bad(&format!("PostgreSQL {} is too old", version / 10_000), "use version 14 or newer")?;
        }
    }
    check_durability(pool, findings).await?;
    match runtime::pending_migrations(pool).await? {
        0 => good("the schema is up to date")?,
        missing => {
            findings.bad(&format!("{missing} migrations are missing"), "ticketflow migrate")?;
            return Ok(());
        }
    }
    check_clock(pool, findings).await?;
    check_runs(pool, config, findings).await
}

async fn check_durability(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(pool).await?;
        match value.as_str() {
            "off" => findings
                .bad(&format!("{setting} is off: commits may be lost"), &format!("set {setting} = on"))?,
            _ => good(&format!("{setting} is {value}"))?,
        }
    }
    Ok(())
}

async fn check_clock(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let ahead = stats::now(&mut connection).await? - Clock::default().now();
    if ahead.abs() > CLOCK_TOLERANCE {
        let text = format!("the database's clock is {} ms ahead of this machine's", ahead.num_milliseconds());
        return findings.bad(
            &text,
            "synchronise both with NTP; leases go by the database's clock and hold all the same",
        );
    }
    good("the clocks agree")
}

async fn check_runs(pool: &PgPool, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let workers = lease::list(&mut connection).await?;
    let alive = workers.iter().filter(|worker| worker.alive).count();
    match alive {
        0 => findings.bad("no worker is alive", "ticketflow worker (or ticketflow up)")?,
        alive => good(&format!("{alive} workers are alive"))?,
    }
    let queue = stats::queue(&mut connection).await?;
    match queue.unclaimable {
        0 => good("every ready run has a worker that knows its workflow")?,
        runs => {
            let known: Vec<String> = runtime::catalog(config, pool)?.advertised();
            let text = format!("{runs} ready runs have a workflow version that no live worker knows");
            findings.bad(
                &text,
                &format!("start workers that know it; this program knows {}", known.join(", ")),
            )?;
        }
    }
    good(&format!(
        "{} ready (oldest {:.0} s), {} leased, {} sleeping, {} waiting, {} paused",
        queue.ready, queue.oldest_ready_seconds, queue.leased, queue.sleeping, queue.waiting, queue.paused
    ))
}
