//! What a worker can be told.

use sqlx::PgPool;
use std::time::Duration;

/// Longest pause between two looks for work, jittered by a quarter, of a worker that hears no wake-ups.
pub const POLL_WITHOUT_WAKE_UPS: Duration = Duration::from_millis(400);

/// Settings of a worker.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Host and process id, for people; also the actor of its events.
    pub name: String,
    /// Queues it claims from; empty: those of its workflows.
    pub queues: Vec<String>,
    /// Runs it advances at once.
    pub capacity: usize,
    /// How long its leases hold without a heartbeat.
    pub lease: Duration,
    /// Longest pause between two looks for work while idle; jittered by a quarter.
    pub poll: Duration,
    /// How long running steps may take to finish once it was told to stop.
    pub grace: Duration,
    /// Tasks that commit results.
    pub committers: usize,
    /// How long ended months are kept, log and read models; `None`: for ever.
    pub retention: Option<Duration>,
    /// Pause before every step, so that people can watch; zero otherwise.
    pub pace: Duration,
    /// Where to listen for wake-ups, if a pooler in transaction mode keeps the client's connections from it.
    pub listen: Option<PgPool>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            queues: Vec::new(),
            capacity: 128,
            lease: Duration::from_secs(15),
            poll: Duration::from_millis(2_500),
            grace: Duration::from_secs(20),
            committers: 2,
            retention: None,
            pace: Duration::ZERO,
            listen: None,
        }
    }
}
