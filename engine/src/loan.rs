//! Connections lent by a pool for questions that may never be answered.

use crate::{error::StoreError, pooler::settle};
use sqlx::{Connection, PgConnection, PgPool, Postgres, pool::PoolConnection};
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::AbortHandle};

/// How long a task keeps a connection that it has no use for.
const KEPT_UNUSED: Duration = Duration::from_millis(50);
/// How long a task keeps a connection before the pool has a look at it: by then it may go to the wrong server.
const KEPT_AT_MOST: Duration = Duration::from_secs(1);
/// How long a connection has to show that it still works.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A connection that returns to its pool only if it is given back. Dropped in the middle of a question (the network
/// swallows what is sent, say) it is closed: in the pool the next to use it would wait in vain as well.
#[derive(Debug)]
pub struct Loan {
    connection: PoolConnection<Postgres>,
    since: Instant,
    answered: bool,
}

impl Loan {
    /// Borrows a connection.
    ///
    /// # Errors
    /// If there is none to be had.
    pub async fn of(pool: &PgPool) -> Result<Self, StoreError> {
        let connection = pool.acquire().await.map_err(StoreError::database("connect"))?;
        Ok(Self { connection, since: Instant::now(), answered: false })
    }

    /// Returns it to its pool, which may have opened a transaction for it: that is committed now. Until this has said so,
    /// nothing that was done on it counts.
    ///
    /// # Errors
    /// If the commit failed, or its answer was lost.
    pub async fn give_back(mut self) -> Result<(), StoreError> {
        settle(&mut self.connection).await?;
        self.answered = true;
        Ok(())
    }
}

impl Deref for Loan {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if !self.answered {
            self.connection.close_on_drop();
        }
    }
}

/// The connection of a task that asks again and again. Its own, it spares the pool's round trip at every return, and the
/// server process behind it has its caches warm: the pool would hand out its connections in turn. A task that has nothing
/// to ask gives it back.
#[derive(Debug)]
pub struct Line {
    pool: PgPool,
    kept: Arc<Kept>,
    returning: AbortHandle,
}

#[derive(Debug, Default)]
struct Kept {
    /// A connection and since when nobody uses it.
    connection: Mutex<Option<(Loan, Instant)>>,
    filled: Notify,
}

impl Line {
    /// A line that connects when it is first used.
    pub fn new(pool: PgPool) -> Self {
        let kept = Arc::new(Kept::default());
        let returning = tokio::spawn(give_back_unused(kept.clone())).abort_handle();
        Self { pool, kept, returning }
    }

    /// The pool behind it.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The kept connection; else one of the pool's.
    ///
    /// # Errors
    /// If there is none to be had.
    pub async fn loan(&self) -> Result<Loan, StoreError> {
        match self.kept.replace(None) {
            Some((connection, _)) => Ok(connection),
            None => Loan::of(&self.pool).await,
        }
    }

    /// Keeps a connection for the next question: every question was answered. A second one is given back, and so is one
    /// that others wait for or that was kept for long, and one on which the pool opened a transaction, for it does so
    /// whenever it lends one.
    ///
    /// # Errors
    /// See [`Loan::give_back`].
    pub async fn keep(&self, connection: Loan) -> Result<(), StoreError> {
        let most = self.pool.options().get_max_connections();
        let wanted = self.pool.num_idle() == 0 && self.pool.size() >= most;
        let outdated = connection.since.elapsed() > KEPT_AT_MOST;
        if wanted || outdated || connection.is_in_transaction() || self.kept.lock().is_some() {
            return connection.give_back().await;
        }
        drop(self.kept.replace(Some((connection, Instant::now()))));
        self.kept.filled.notify_one();
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.returning.abort();
        // Closed, for nobody is left to find out whether it still answers.
        drop(self.kept.replace(None));
    }
}

impl Kept {
    fn replace(&self, next: Option<(Loan, Instant)>) -> Option<(Loan, Instant)> {
        std::mem::replace(&mut *self.lock(), next)
    }

    fn take_unused(&self) -> Option<Loan> {
        let mut kept = self.lock();
        let unused = kept.take_if(|(_, since)| since.elapsed() >= KEPT_UNUSED);
        unused.map(|(connection, _)| connection)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Loan, Instant)>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives connections back that nobody used for a while; closes those that do not answer, for the pool would ask them for
/// as long as it takes.
async fn give_back_unused(kept: Arc<Kept>) {
    loop {
        kept.filled.notified().await;
        tokio::time::sleep(KEPT_UNUSED).await;
        match kept.take_unused() {
            Some(mut connection) => {
                if let Ok(Ok(())) = tokio::time::timeout(ANSWER_WITHIN, connection.ping()).await {
                    // No transaction is open on it whose commit could fail.
                    drop(connection.give_back().await);
                }
            }
            None if kept.lock().is_some() => kept.filled.notify_one(),
            // In use: once it is kept again, that is told.
            None => {}
        }
    }
}
