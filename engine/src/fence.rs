//! A worker's own idea of whether its lease holds, on its monotonic clock.
//!
//! The database judges leases; a worker that cannot reach it must assume the worst in time. Past 0.8 of the lease
//! since the last renewal it starts no step and drops what it has not sent.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Whether this process may still act on its leases; clones share it.
#[derive(Debug, Clone)]
pub struct Fence {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    until: RwLock<Instant>,
    closed: AtomicBool,
    token: CancellationToken,
}

impl Fence {
    /// A fence that is open for 0.8 of `lease` from `now`, the moment the renewal was *sent*.
    pub fn open(now: Instant, lease: Duration) -> Self {
        let shared = Shared {
            until: RwLock::new(now + lease.mul_f64(0.8)),
            closed: AtomicBool::new(false),
            token: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Notes a renewal that was sent at `sent`.
    pub fn renew(&self, sent: Instant, lease: Duration) {
        let mut until = self.shared.until.write().unwrap_or_else(PoisonError::into_inner);
        *until = sent + lease.mul_f64(0.8);
    }

    /// Closes it for good: the lease is gone.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.token.cancel();
    }

    /// Whether it was closed for good.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Whether this process may act on its leases at `now`.
    pub fn is_open(&self, now: Instant) -> bool {
        !self.shared.closed.load(Ordering::Acquire) && now < self.until()
    }

    /// Until when it is open unless renewed.
    pub fn until(&self) -> Instant {
        *self.shared.until.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when it is closed for good.
    pub async fn closed(&self) {
        self.shared.token.cancelled().await;
    }

    /// Waits for `answer` no longer than the lease is sure to hold, and not once it is gone. `None`: none came.
    pub async fn while_open<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = tokio::time::timeout_at(self.until().into(), answer) => answer.ok(),
            () = self.closed() => None,
        }
    }
}
