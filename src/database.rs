//! Which database the program works on, and connecting to it.

use crate::exit::Exit;
use backon::{ExponentialBuilder, Retryable};
use log::LevelFilter;
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};
use ticketflow_engine::error::is_transient;

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
}

impl Database {
    pub(crate) const fn new(url: String) -> Self {
        Self { url }
    }

    /// The URL; it may carry a password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn options(&self) -> anyhow::Result<PgConnectOptions> {
        // The URL may carry a password: it is never part of a message.
        let options = PgConnectOptions::from_str(&self.url).map_err(|_| {
            Exit::Usage.with("DATABASE_URL is not a URL like postgres://user:password@host:5432/name")
        })?;
        Ok(options.application_name("ticketflow").log_slow_statements(LevelFilter::Warn, SLOW_STATEMENT))
    }

    pub(crate) async fn connect(&self, connections: u32) -> anyhow::Result<PgPool> {
        let options = self.options()?;
        // A server that is just starting refuses connections for some seconds.
        let delays =
            ExponentialBuilder::default().with_jitter().with_min_delay(FIRST_DELAY).with_max_times(5);
        let first = (|| PgConnection::connect_with(&options)).retry(delays).when(is_transient);
        let first =
            tokio::time::timeout(CONNECT_TIMEOUT, first).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        first.map_err(|error| unreachable(&error))?.close().await.map_err(|error| unreachable(&error))?;
        pool_options()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(|error| unreachable(&error))
    }
}

/// What all pools have in common.
pub(crate) fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new()
        // A round trip per use to ask whether the connection still works: a lost answer is recognised anyway.
        .test_before_acquire(false)
        // Under load all who wait would say so; who waits in vain gets an error, which is logged.
        .acquire_slow_level(LevelFilter::Debug)
}

/// What keeps it from connecting is said too: a wrong password, and a server that is not there, are mended differently.
fn unreachable(error: &sqlx::Error) -> anyhow::Error {
    Exit::Unreachable.with(format!("{UNREACHABLE}: {error}"))
}
