//! The server: its version, its durability, its schema, its clock.

use super::Findings;
use crate::{output::counted, schema};
use chrono::TimeDelta;
use sqlx::PgPool;
use ticketflow_engine::{Clock, store::stats};

/// The most by which the clocks of this machine and of the database may differ.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// False: the schema is not such that more could be looked at.
pub(super) async fn check(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<bool> {
    let version: i32 =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::integer").fetch_one(pool).await?;
    let major = version / 10_000;
    match version {
        140_000.. => findings.good(format!("PostgreSQL {major}")),
        _ => findings.bad(format!("PostgreSQL {major} is too old"), "use version 14 or newer"),
    }
    check_durability(pool, findings).await?;
    if !check_schema(pool, findings).await? {
        return Ok(false);
    }
    check_clock(pool, findings).await?;
    Ok(true)
}

async fn check_schema(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<bool> {
    let standing = schema::standing(pool).await?;
    if let Some(refusal) = schema::refusal(&standing) {
        findings.bad(refusal, "install the newer release");
        return Ok(false);
    }
    match (standing.pending, standing.unknown) {
        (0, 0) => findings.good("the schema is up to date"),
        (0, unknown) => findings.good(format!(
            "the schema is ahead of this release by {}, which it can work with",
            counted(unknown, "migration")
        )),
        (missing, _) => {
            findings.bad(format!("the schema lacks {}", counted(missing, "migration")), "ticketflow migrate");
            return Ok(false);
        }
    }
    Ok(true)
}

async fn check_durability(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(pool).await?;
        match value.as_str() {
            "off" => {
                let text = format!("{setting} is off: commits may be lost");
                findings.bad(text, format!("set {setting} = on"));
            }
            _ => findings.good(format!("{setting} is {value}")),
        }
    }
    Ok(())
}

async fn check_clock(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let ahead = stats::now(&mut connection).await? - Clock::default().now();
    if ahead.abs() > CLOCK_TOLERANCE {
        findings.bad(
            format!("the database's clock is {} ms ahead of this machine's", ahead.num_milliseconds()),
            "synchronise both with NTP; leases go by the database's clock and hold all the same",
        );
    } else {
        findings.good("the clocks agree");
    }
    Ok(())
}
