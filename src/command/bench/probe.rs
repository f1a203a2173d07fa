//! What the server says a phase cost: commits, statements, WAL, HOT updates.

use anyhow::Context as _;
use serde::Serialize;
use sqlx::PgPool;
use std::time::Duration;

/// Statements that taking a probe costs.
const OWN_QUERIES: i64 = 4;

/// The server's counters at one moment.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    lsn: String,
    transactions: i64,
    statements: Option<i64>,
    updates: i64,
    hot_updates: i64,
}

/// What a phase cost, per run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cost {
    /// WAL commit records, where `pg_walinspect` can be had; else committed transactions.
    pub(super) commits: f64,
    pub(super) commits_are_wal_records: bool,
    /// Statements, where `pg_stat_statements` is loaded.
    pub(super) statements: Option<f64>,
    pub(super) wal_bytes: f64,
    /// Share of the updates of live rows that were HOT.
    pub(super) hot_ratio: f64,
}

impl Probe {
    pub(super) async fn take(pool: &PgPool) -> anyhow::Result<Self> {
        // Backends report at most once a second; an idle one has reported after that.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let lsn: String =
            sqlx::query_scalar("SELECT pg_current_wal_flush_lsn()::text").fetch_one(pool).await?;
        let transactions: i64 =
            sqlx::query_scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
                .fetch_one(pool)
                .await?;
        let (updates, hot_updates): (i64, i64) = sqlx::query_as(
            "SELECT coalesce(sum(n_tup_upd), 0)::bigint, coalesce(sum(n_tup_hot_upd), 0)::bigint
             FROM pg_stat_user_tables WHERE relname = 'live_runs'",
        )
        .fetch_one(pool)
        .await?;
        let statements = sqlx::query_scalar(
            "SELECT sum(calls)::bigint FROM pg_stat_statements AS s
             JOIN pg_database AS d ON d.oid = s.dbid WHERE d.datname = current_database() AND s.toplevel",
        )
        .fetch_one(pool)
        .await
        .ok();
        Ok(Self { lsn, transactions, statements, updates, hot_updates })
    }

    /// The cost per run since `self` was taken.
    pub(super) async fn cost(&self, pool: &PgPool, runs: usize) -> anyhow::Result<Cost> {
        let after = Self::take(pool).await?;
        let wal: (f64,) = sqlx::query_as("SELECT ($2::pg_lsn - $1::pg_lsn)::float8")
            .bind(&self.lsn)
            .bind(&after.lsn)
            .fetch_one(pool)
            .await
            .context("cannot compare WAL positions")?;
        let records: Option<i64> = sqlx::query_scalar(
            "SELECT sum(count)::bigint FROM pg_get_wal_stats($1::pg_lsn, $2::pg_lsn, true)
             WHERE \"resource_manager/record_type\" = 'Transaction/COMMIT'",
        )
        .bind(&self.lsn)
        .bind(&after.lsn)
        .fetch_one(pool)
        .await
        .ok();
        let commits = records.unwrap_or(after.transactions - self.transactions);
        let statements = after.statements.zip(self.statements).map(|(after, before)| after - before);
        Ok(Cost {
            commits: ratio(commits, runs),
            commits_are_wal_records: records.is_some(),
            statements: statements.map(|statements| ratio(statements, runs)),
            wal_bytes: wal.0 / as_f64(runs),
            hot_ratio: share(after.hot_updates - self.hot_updates, after.updates - self.updates),
        })
    }

    /// Statements since `self` was taken, its own not counted; transactions where statements are not counted.
    pub(super) async fn queries(&self, pool: &PgPool) -> anyhow::Result<i64> {
        let after = Self::take(pool).await?;
        let statements = after.statements.zip(self.statements).map(|(after, before)| after - before);
        Ok((statements.unwrap_or(after.transactions - self.transactions) - OWN_QUERIES).max(0))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn ratio(count: i64, runs: usize) -> f64 {
    count as f64 / as_f64(runs.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn share(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
