//! Connections lent by a pool for questions that may never be answered.

use crate::{error::StoreError, pooler::settle};
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use std::ops::{Deref, DerefMut};

/// A connection that returns to its pool only if it is given back. Dropped in the middle of a question (the network
/// swallows what is sent, say) it is closed: in the pool the next to use it would wait in vain as well.
#[derive(Debug)]
pub struct Loan {
    connection: PoolConnection<Postgres>,
    answered: bool,
}

impl Loan {
    /// Borrows a connection.
    ///
    /// # Errors
    /// If there is none to be had.
    pub async fn of(pool: &PgPool) -> Result<Self, StoreError> {
        let connection = pool.acquire().await.map_err(StoreError::database("connect"))?;
        Ok(Self { connection, answered: false })
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
