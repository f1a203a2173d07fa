//! Turns new tickets away while too many wait already, so that those accepted are served in time.
//!
//! The depth is read at most once a second and by one request at a time: admission must not become a load itself.

use crate::problem::{Code, Problem};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use ticketflow_engine::{Client, StoreError, store::stats};
use tokio::sync::Mutex;

const REFRESH: Duration = Duration::from_secs(1);
/// Seconds after which a client that was turned away may come back.
const COME_BACK: u16 = 5;

/// Knows how deep the queue is, and how deep it may be.
#[derive(Debug)]
pub(crate) struct Admission {
    limit: Option<u64>,
    depth: AtomicU64,
    read_at: Mutex<Option<Instant>>,
}

impl Admission {
    /// Admits until `limit` runs are ready; `None`: always.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { limit, depth: AtomicU64::new(0), read_at: Mutex::new(None) }
    }

    /// Lets a request for new work pass, or says when to come back.
    pub(crate) async fn admit(&self, client: &Client) -> Result<(), Problem> {
        let Some(limit) = self.limit else { return Ok(()) };
        self.refresh(client).await?;
        let depth = self.depth.load(Ordering::Relaxed);
        if depth < limit {
            return Ok(());
        }
        let detail = format!("{depth} tickets are waiting to be processed, {limit} may; try again shortly");
        Err(Problem::new(Code::Overloaded, detail).retry_after(COME_BACK))
    }

    async fn refresh(&self, client: &Client) -> Result<(), StoreError> {
        // Whoever finds another reading goes by the last depth known.
        let Ok(mut read_at) = self.read_at.try_lock() else {
            return Ok(());
        };
        if read_at.is_some_and(|at| at.elapsed() < REFRESH) {
            return Ok(());
        }
        let connection = client.pool().acquire().await;
        let mut connection = connection.map_err(StoreError::database("connect to read the queue's depth"))?;
        let queue = stats::queue(&mut connection).await?;
        let waiting = queue.ready.saturating_add(queue.blocked);
        self.depth.store(u64::try_from(waiting).unwrap_or(0), Ordering::Relaxed);
        *read_at = Some(Instant::now());
        Ok(())
    }
}
