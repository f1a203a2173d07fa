//! Which database the program works on, and connecting to it.

mod hosts;
mod pooling;
mod primary;

use crate::{config::Config, exit::Exit};
use backon::{ExponentialBuilder, Retryable};
use log::LevelFilter;
use primary::Primary;
use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::time::Duration;
use ticketflow_engine::{error::is_transient, pooler::Pooler};

/// Delay before the second try to connect; it doubles from there.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Longest time to wait for the first connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A statement is logged, with all of its text, if it takes this long: some on large tables take a second on any machine.
const SLOW_STATEMENT: Duration = Duration::from_secs(5);
const UNREACHABLE: &str = "cannot connect to the database (is DATABASE_URL right and the server running?)";

/// A database to work on.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    url: String,
    pooler: Pooler,
    /// The way past the pooler.
    direct_url: Option<String>,
}

/// A database that was reached; clones share its pool.
#[derive(Debug, Clone)]
pub(crate) struct Connected {
    /// Connections to it.
    pub(crate) pool: PgPool,
    primary: Primary,
}

impl Database {
    /// A database that nothing stands before.
    pub(crate) const fn new(url: String) -> Self {
        Self { url, pooler: Pooler::None, direct_url: None }
    }

    /// The database that the configuration names, if it does.
    pub(crate) fn configured(config: &Config) -> Option<Self> {
        let url = config.database_url()?;
        Some(Self { url, pooler: config.pooler(), direct_url: config.direct_url() })
    }

    /// The URL; it may carry a password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How to connect to each of its hosts.
    fn hosts(&self) -> anyhow::Result<Vec<PgConnectOptions>> {
        let hosts = hosts::parse(&self.url).map_err(|problem| Exit::Usage.with(problem))?;
        let dress = |options: PgConnectOptions| {
            let named = options.application_name("ticketflow");
            self.pooler.connect_options(named.log_slow_statements(LevelFilter::Warn, SLOW_STATEMENT))
        };
        Ok(hosts.into_iter().map(dress).collect())
    }

    /// The same database past the pooler, for what needs a session.
    pub(crate) fn direct(&self) -> anyhow::Result<Self> {
        match (self.pooler, &self.direct_url) {
            (Pooler::None, _) => Ok(self.clone()),
            (Pooler::Transaction | Pooler::Prepared, Some(url)) => Ok(Self::new(url.clone())),
            (Pooler::Transaction | Pooler::Prepared, None) => Err(Exit::Usage.with(
                "migrations need a session of their own, which a pooler in transaction mode has not: set direct_url of \
                 [database] (or TICKETFLOW_DIRECT_URL) to the server itself",
            )),
        }
    }

    /// A pool to listen with, where the pool of the others cannot: past the pooler.
    pub(crate) async fn listening(&self) -> anyhow::Result<Option<PgPool>> {
        match &self.direct_url {
            Some(_) if self.pooler != Pooler::None => Ok(Some(self.direct()?.connect(1).await?.pool)),
            Some(_) | None => Ok(None),
        }
    }

    /// Finds the host that takes writes and connects to it; where there are several, its pools follow it.
    pub(crate) async fn connect(&self, connections: u32) -> anyhow::Result<Connected> {
        let hosts = self.hosts()?;
        // A server that is just starting refuses connections for some seconds, and a standby takes some to be promoted.
        let delays =
            ExponentialBuilder::default().with_jitter().with_min_delay(FIRST_DELAY).with_max_times(5);
        let first = (|| primary::find(&hosts))
            .retry(delays)
            .when(|error| is_transient(error) && pooling::advice(error).is_none());
        let first =
            tokio::time::timeout(CONNECT_TIMEOUT, first).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        let (mut connection, host) = first.map_err(|error| unreachable(&error))?;
        pooling::check(self.pooler, &mut connection, &hosts[host]).await?;
        connection.close().await.map_err(|error| unreachable(&error))?;
        let primary = Primary::follow(hosts, host);
        let options = pool_options().max_connections(connections);
        let options = self.pooler.pool_options(options, primary.outdates());
        let pool = options.connect_lazy_with(primary.options());
        primary.guide(&pool);
        Ok(Connected { pool, primary })
    }
}

impl Connected {
    /// Another pool like this one, so that who uses the one does not wait for who uses the other.
    pub(crate) fn beside(&self, connections: u32) -> PgPool {
        let options = self.pool.options().clone().max_connections(connections);
        let pool = options.connect_lazy_with(self.primary.options());
        self.primary.guide(&pool);
        pool
    }
}

/// What all pools have in common.
fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(10))
        // A round trip per use to ask whether the connection still works: a lost answer is recognised anyway.
        .test_before_acquire(false)
        // Under load all who wait would say so; who waits in vain gets an error, which is logged.
        .acquire_slow_level(LevelFilter::Debug)
}

/// What keeps it from connecting is said too: a wrong password, and a server that is not there, are mended differently.
fn unreachable(error: &sqlx::Error) -> anyhow::Error {
    let advice = pooling::advice(error).map(|advice| format!("; {advice}")).unwrap_or_default();
    Exit::Unreachable.with(format!("{UNREACHABLE}: {error}{advice}"))
}
