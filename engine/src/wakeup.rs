//! Waking workers. Within a process by a [`tokio::sync::Notify`], across processes by NOTIFY, which is sent after the
//! commit and never inside it (it takes a lock that would serialise all commits of the database).
//!
//! Nothing depends on a wake-up arriving: the workers' poll is what correctness rests on.

use crate::{error::StoreError, loan::Loan};
use sqlx::PgPool;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, futures::Notified};

/// Channel on which workers listen; what is sent is the number of runs that became ready.
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
    sending: AtomicU8,
    /// Runs that became ready and of which no NOTIFY has told yet.
    untold: AtomicUsize,
}

/// Longest time that a NOTIFY may take; after that the poll will have found the run anyway.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// No NOTIFY is under way.
const SILENT: u8 = 0;
/// One is.
const SENDING: u8 = 1;
/// One is, and runs became ready since, of which it may not tell: another has to follow.
const AGAIN: u8 = 2;

impl Wakeup {
    /// `notify`: whether NOTIFY may be used; not behind PgBouncer in transaction mode, and not on Citus.
    pub fn new(notify: bool) -> Self {
        let shared = Shared {
            local: Notify::new(),
            idle: AtomicUsize::new(0),
            notify,
            sending: AtomicU8::new(SILENT),
            untold: AtomicUsize::new(0),
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
    /// this process cannot take them all, and of all that becomes ready while a NOTIFY is under way by one more. It says
    /// how many they are, so that no more workers look than are needed.
    pub fn ready(&self, pool: &PgPool, runs: usize) {
        let take = |idle: usize| Some(idle.saturating_sub(runs));
        let idle = self.shared.idle.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).unwrap_or(0);
        if idle > 0 {
            self.wake_local();
        }
        if idle < runs {
            self.tell(pool, runs - idle);
        }
    }

    /// Says that `runs` runs became ready, of any queue and workflow: workers of other processes hear of them whatever
    /// room there is in this one, which may not be the one to take them.
    pub fn ready_anywhere(&self, pool: &PgPool, runs: usize) {
        self.wake_local();
        self.tell(pool, runs);
    }

    fn tell(&self, pool: &PgPool, runs: usize) {
        if !self.shared.notify {
            return;
        }
        self.shared.untold.fetch_add(runs, Ordering::AcqRel);
        let next = |sending: u8| Some(if sending == SILENT { SENDING } else { AGAIN });
        if self.shared.sending.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(SILENT) {
            tokio::spawn(notify(self.shared.clone(), pool.clone()));
        }
    }
}

/// Sends one NOTIFY, and another as long as runs became ready meanwhile.
async fn notify(shared: Arc<Shared>, pool: PgPool) {
    loop {
        // None are left if the last NOTIFY told of those that came while it was under way.
        let runs = shared.untold.swap(0, Ordering::AcqRel);
        if runs > 0 {
            let sent = tokio::time::timeout(SEND_WITHIN, send(&pool, runs)).await;
            if let Err(error) = sent.unwrap_or_else(|_| Err(StoreError::unanswered("send a wake-up"))) {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, runs, "a wake-up was not sent; the poll will do");
            }
        }
        let done = shared.sending.compare_exchange(SENDING, SILENT, Ordering::AcqRel, Ordering::Acquire);
        if done.is_ok() {
            return;
        }
        shared.sending.store(SENDING, Ordering::Release);
    }
}

async fn send(pool: &PgPool, runs: usize) -> Result<(), StoreError> {
    let mut connection = Loan::of(pool).await?;
    sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, runs.to_string())
        .execute(&mut *connection)
        .await
        .map_err(StoreError::database("send a wake-up"))?;
    connection.give_back().await?;
    Ok(())
}
