//! Waking workers. Within a process by a [`tokio::sync::Notify`], across processes by NOTIFY, which is sent after the
//! commit and never inside it (it takes a lock that would serialise all commits of the database).
//!
//! Nothing depends on a wake-up arriving: the workers' poll is what correctness rests on.

use crate::error::StoreError;
use sqlx::PgPool;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::sync::{Notify, futures::Notified};

/// Channel on which workers listen.
pub const CHANNEL: &str = "ticketflow_ready";

/// How a process tells workers that there is something to do; clones share it.
#[derive(Debug, Clone)]
pub struct Wakeup {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    local: Notify,
    idle: AtomicUsize,
    notify: bool,
    sending: AtomicBool,
}

impl Wakeup {
    /// `notify`: whether NOTIFY may be used; not behind PgBouncer in transaction mode, and not on Citus.
    pub fn new(notify: bool) -> Self {
        let shared = Shared {
            local: Notify::new(),
            idle: AtomicUsize::new(0),
            notify,
            sending: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Whether NOTIFY is used.
    pub fn uses_notify(&self) -> bool {
        self.shared.notify
    }

    /// A worker of this process says how many more runs it could take.
    pub fn set_idle_capacity(&self, free: usize) {
        self.shared.idle.store(free, Ordering::Release);
    }

    /// Completes at the next wake-up within this process.
    pub fn woken(&self) -> Notified<'_> {
        self.shared.local.notified()
    }

    /// Wakes the workers of this process.
    pub fn wake_local(&self) {
        self.shared.local.notify_one();
    }

    /// Says that `runs` runs became ready, after that was committed. Workers of other processes hear of it only if
    /// this process cannot take them all, and one NOTIFY at a time is enough.
    pub fn ready(&self, pool: &PgPool, runs: usize) {
        let idle = self.shared.idle.load(Ordering::Acquire);
        if idle > 0 {
            self.wake_local();
        }
        if idle >= runs || !self.shared.notify || self.shared.sending.swap(true, Ordering::AcqRel) {
            return;
        }
        let (shared, pool) = (self.shared.clone(), pool.clone());
        tokio::spawn(async move {
            // Runs that become ready from here on send a NOTIFY of their own.
            shared.sending.store(false, Ordering::Release);
            if let Err(error) = send(&pool).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a wake-up was not sent; the poll will do"
                );
            }
        });
    }
}

async fn send(pool: &PgPool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await.map_err(StoreError::database("connect for a wake-up"))?;
    sqlx::query!("SELECT pg_notify($1, '')", CHANNEL)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::database("send a wake-up"))?;
    Ok(())
}
