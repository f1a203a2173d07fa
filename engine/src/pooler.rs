//! Connections by way of a pooler such as PgBouncer.
//!
//! In transaction mode a pooler lends a client one of its server's connections for a transaction, and another for the
//! next. A statement is sent in two messages, one that prepares it and one that runs it: outside a transaction the second
//! may reach a connection where the same name is another client's statement. So, unless the pooler follows prepared
//! statements itself, the pool opens a transaction on every connection it lends, and whoever changes something says
//! when it is to be committed: [`settle`], which a [`Loan`](crate::loan::Loan) does when it is given back.
//!
//! Nothing here sets anything on a session, or expects anything of it.

use crate::error::StoreError;
use sqlx::{
    Connection, PgConnection, PgPool, Postgres, SqlSafeStr, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions, PgTransactionManager},
};
use sqlx_core::transaction::TransactionManager;
use std::time::Duration;

/// Opens the transaction, and makes room for the names of the statements in it.
const OPEN: &str = "BEGIN; DEALLOCATE ALL";
const OPEN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; DEALLOCATE ALL";

/// What stands between a process and its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// Nothing, or a pooler in session mode.
    #[default]
    None,
    /// A pooler in transaction mode that does not follow prepared statements.
    Transaction,
    /// A pooler in transaction mode that does: PgBouncer 1.21 or newer with `max_prepared_statements`.
    Prepared,
}

impl Pooler {
    /// Connects in a way that the pooler can follow.
    pub fn connect_options(self, options: PgConnectOptions) -> PgConnectOptions {
        match self {
            Self::None => options,
            // A pooler refuses start-up parameters that it cannot keep apart for its clients. This one is about text;
            // values travel in binary.
            Self::Transaction => options.extra_float_digits(None).statement_cache_capacity(0),
            Self::Prepared => options.extra_float_digits(None),
        }
    }

    /// Lends connections in a way that the pooler can follow. One for whose age `is_outdated` is true is closed instead.
    pub fn pool_options(
        self,
        options: PgPoolOptions,
        is_outdated: impl Fn(Duration) -> bool + Send + Sync + 'static,
    ) -> PgPoolOptions {
        match self {
            Self::None | Self::Prepared => options.before_acquire(move |_, meta| {
                let kept = !is_outdated(meta.age);
                Box::pin(async move { Ok(kept) })
            }),
            Self::Transaction => options
                .after_connect(|connection, _| Box::pin(open(connection)))
                .before_acquire(move |connection, meta| {
                    let kept = !is_outdated(meta.age);
                    Box::pin(async move {
                        if kept {
                            open(connection).await?;
                        }
                        Ok(kept)
                    })
                })
                .after_release(|connection, _| {
                    Box::pin(async move { roll_back(connection).await.map(|()| true) })
                }),
        }
    }
}

/// A pool of one connection that goes where those of `pool` go by now, for what must not wait for them.
pub fn alone(pool: &PgPool) -> PgPool {
    let options = pool.options().clone().max_connections(1);
    options.connect_lazy_with((*pool.connect_options()).clone())
}

/// Commits what was done on a connection in the transaction that its pool opened, if it opened one. What follows on the
/// same connection is not done by way of a pooler any more: return it.
///
/// # Errors
/// If the database did not commit, or the answer was lost.
pub async fn settle(connection: &mut PgConnection) -> Result<(), StoreError> {
    if connection.is_in_transaction() {
        PgTransactionManager::commit(connection).await.map_err(StoreError::database("commit"))?;
    }
    Ok(())
}

/// Begins a transaction all of whose statements see the same state, and which changes nothing.
pub(crate) async fn begin_snapshot(
    connection: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    if connection.is_in_transaction() {
        // The one that the pool opened is of another kind, and cannot be changed any more.
        roll_back(connection).await?;
        return connection.begin_with(OPEN_SNAPSHOT).await;
    }
    connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

async fn open(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if connection.is_in_transaction() {
        return Ok(());
    }
    PgTransactionManager::begin(connection, Some(OPEN.into_sql_str())).await
}

async fn roll_back(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    while connection.is_in_transaction() {
        PgTransactionManager::rollback(connection).await?;
    }
    Ok(())
}
