//! `ticketflow audit verify`: checks every invariant on the live database.

use crate::{
    config::Config,
    exit::Exit,
    output::{self, Format, counted, out},
    runtime::{self, Home},
    schema,
};
use sqlx::PgPool;
use ticketflow_engine::{
    Catalog,
    audit::{self, Bounds, Invariant, Report},
};

/// What to audit.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the invariants I1 to I9; exit code 6 if one is broken
    Verify {
        /// Print JSON, as `-o json` does
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(
    command: AuditCommand,
    format: Option<Format>,
    config: &Config,
) -> anyhow::Result<()> {
    let AuditCommand::Verify { json } = command;
    let json = output::as_json("audit", json, format)?;
    let home = Home::find_existing(config).await?;
    let report = verify(config, &home).await;
    home.close().await?;
    let report = report?;
    if json {
        out(&serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report)?;
    }
    if report.is_clean() {
        return Ok(());
    }
    Err(Exit::Violations.with(counted(report.violations.len(), "violation")))
}

async fn verify(config: &Config, home: &Home) -> anyhow::Result<Report> {
    let pool = home.database.connect(2).await?.pool;
    schema::require(&pool).await?;
    let catalog = runtime::catalog(config, pool.clone())?;
    audit(&pool, &catalog).await
}

/// Audits through a pool.
pub(crate) async fn audit(pool: &PgPool, catalog: &Catalog) -> anyhow::Result<Report> {
    let mut connection = pool.acquire().await?;
    Ok(audit::audit(&mut connection, catalog, Bounds::default()).await?)
}

/// Prints a report for people.
pub(crate) fn print(report: &Report) -> anyhow::Result<()> {
    for invariant in Invariant::ALL {
        let broken = report.violations.iter().filter(|violation| violation.invariant == *invariant).count();
        let verdict =
            if broken == 0 { "holds".to_owned() } else { format!("BROKEN {}", counted(broken, "time")) };
        out(&format!("{invariant}  {verdict:<16} {}", invariant.statement()))?;
    }
    for violation in &report.violations {
        let run = violation.run.map(|run| format!("run {run}: ")).unwrap_or_default();
        out(&format!("{}  {run}{}", violation.invariant, violation.detail))?;
    }
    out(&format!("{} and {} checked", counted(report.runs, "run"), counted(report.events, "event")))
}
