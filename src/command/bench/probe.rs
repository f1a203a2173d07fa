//! What the server says a phase cost: commits, statements, WAL, HOT updates.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// Statements that taking a probe costs.
const OWN_QUERIES: i64 = 4;

/// How many statements the benchmark itself has sent, to look whether a run is done. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<AtomicI64>);

impl Asked {
    pub(super) fn count(&self, statements: i64) {
        self.0.fetch_add(statements, Ordering::Relaxed);
    }

    fn so_far(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The server's counters at one moment.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    lsn: String,
    transactions: i64,
    statements: Option<i64>,
    updates: i64,
    hot_updates: i64,
    asked: i64,
}

/// What a phase cost, per run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    /// WAL commit records, where `pg_walinspect` can be had; else committed transactions.
    pub(super) commits: f64,
    pub(super) commits_are_wal_records: bool,
    /// Statements, where `pg_stat_statements` is loaded.
    pub(super) statements: Option<f64>,
    pub(super) wal_bytes: f64,
    /// Share of the updates of live rows that were HOT; none where nothing was updated.
    pub(super) hot_ratio: Option<f64>,
}

impl Probe {
    pub(super) async fn take(pool: &PgPool, asked: &Asked) -> anyhow::Result<Self> {
        // A connection that was closed reports while it ends.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let lsn: String =
            sqlx::query_scalar("SELECT pg_current_wal_flush_lsn()::text").fetch_one(pool).await?;
        let transactions: i64 =
            sqlx::query_scalar("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
                .fetch_one(pool)
                .await?;
        let (updates, hot_updates): (i64, i64) = sqlx::query_as(
            "SELECT coalesce(sum(n_tup_upd), 0)::bigint, coalesce(sum(n_tup_hot_upd), 0)::bigint
             FROM pg_stat_user_tables WHERE relname IN ('live_runs', 'floor_live')",
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
        asked.count(OWN_QUERIES);
        Ok(Self { lsn, transactions, statements, updates, hot_updates, asked: asked.so_far() })
    }

    /// The cost per run between two probes.
    pub(super) async fn cost(&self, after: &Self, pool: &PgPool, runs: usize) -> anyhow::Result<Cost> {
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
        Ok(Cost {
            commits: ratio(records.unwrap_or_else(|| self.transactions(after)), runs),
            commits_are_wal_records: records.is_some(),
            statements: self.statements(after).map(|statements| ratio(statements, runs)),
            wal_bytes: wal.0 / as_f64(runs.max(1)),
            hot_ratio: share(after.hot_updates - self.hot_updates, after.updates - self.updates),
        })
    }

    /// Statements between two probes; transactions where statements are not counted.
    pub(super) fn queries(&self, after: &Self) -> i64 {
        self.statements(after).unwrap_or_else(|| self.transactions(after))
    }

    fn statements(&self, after: &Self) -> Option<i64> {
        let all = after.statements? - self.statements?;
        Some((all - (after.asked - self.asked)).max(0))
    }

    fn transactions(&self, after: &Self) -> i64 {
        (after.transactions - self.transactions - (after.asked - self.asked)).max(0)
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
fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(statements: Option<i64>, transactions: i64, asked: i64) -> Probe {
        Probe { lsn: String::new(), transactions, statements, updates: 0, hot_updates: 0, asked }
    }

    #[test]
    fn the_benchmarks_own_statements_are_nobodys_cost() {
        assert_eq!(probe(Some(100), 0, 10).queries(&probe(Some(160), 0, 50)), 20);
        assert_eq!(probe(None, 100, 10).queries(&probe(None, 160, 50)), 20);
    }

    #[test]
    fn where_nothing_was_updated_no_share_of_it_was_hot() {
        assert_eq!((share(0, 0), share(3, 4)), (None, Some(0.75)));
    }
}
