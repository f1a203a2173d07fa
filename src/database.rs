//! Which database the program works on, and connecting to it.

use anyhow::Context as _;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};

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
            anyhow::anyhow!("DATABASE_URL is not a URL like postgres://user:password@host:5432/name")
        })?;
        Ok(options.application_name("ticketflow"))
    }

    pub(crate) async fn connect(&self, connections: u32) -> anyhow::Result<PgPool> {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            // A round trip per use to ask whether the connection still works: a lost answer is recognised anyway.
            .test_before_acquire(false)
            .connect_with(self.options()?)
            .await
            .context("cannot connect to the database; is DATABASE_URL right and the server running?")
    }
}
