//! What programs do with runs from outside: enqueue, signal, and the operators' actions.

mod annotate;
mod control;
mod enqueue;
mod enqueuer;
mod fork;

pub use control::EditedOutputs;
pub use enqueue::EnqueueRequest;
pub use enqueuer::{ENQUEUE_CAP, ENQUEUE_TASKS};

use crate::{
    Catalog, Clock,
    error::{ControlError, StoreError},
    id::{Actor, RunId},
    pooler::settle,
    store::signal::{self, Sent},
    topology::Topology,
    wakeup::Wakeup,
};
use enqueuer::Enqueuer;
use serde_json::value::RawValue;
use sqlx::PgPool;

/// Access to the engine for programs that do not run steps; clones share the group commit.
#[derive(Clone)]
pub struct Client {
    pool: PgPool,
    catalog: Catalog,
    clock: Clock,
    wakeup: Wakeup,
    topology: Topology,
    enqueuer: Enqueuer,
}

impl Client {
    /// A client on a pool. Its group commit ends with its last clone.
    pub fn new(pool: PgPool, catalog: Catalog, clock: Clock, wakeup: Wakeup) -> Self {
        Self::on(Topology::Single, pool, catalog, clock, wakeup)
    }

    /// The same on a database of another topology.
    pub fn on(topology: Topology, pool: PgPool, catalog: Catalog, clock: Clock, wakeup: Wakeup) -> Self {
        let enqueuer = Enqueuer::start(&pool, &catalog, &wakeup, topology);
        Self { pool, catalog, clock, wakeup, topology, enqueuer }
    }

    /// How its database is laid out.
    pub const fn topology(&self) -> Topology {
        self.topology
    }

    /// The workflows it knows.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The database's time.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The pool it works on.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How it wakes workers.
    pub const fn wakeup(&self) -> &Wakeup {
        &self.wakeup
    }

    /// Sends a signal to a live run.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if no such run is live.
    pub async fn signal(
        &self,
        run: RunId,
        name: &str,
        payload: &RawValue,
        actor: &Actor,
    ) -> Result<Sent, ControlError> {
        let mut connection =
            self.pool.acquire().await.map_err(StoreError::database("connect for a signal"))?;
        let sent = signal::send(&mut connection, run, name, payload, actor).await?;
        let sent = sent.ok_or(ControlError::NotFound(run))?;
        settle(&mut connection).await?;
        if sent.woke.is_some() {
            self.wakeup.ready(&self.pool, 1);
        }
        Ok(sent)
    }
}
