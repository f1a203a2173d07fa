//! What every handler may use, and the settings that bound what a client can ask for.

use crate::{
    admission::Admission,
    problem::{Code, Problem},
};
use chrono::{DateTime, TimeDelta, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::{Postgres, pool::PoolConnection};
use std::{sync::Arc, time::Duration};
use ticketflow_engine::{Actor, Client};
use ticketflow_tickets::taxonomy::Category;
use tokio_util::sync::CancellationToken;

/// Settings of the HTTP API.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// How long an `Idempotency-Key` names its first request.
    pub idempotency_key_window: TimeDelta,
    /// How long a ticket with the same customer, subject and body is the same ticket.
    pub content_window: TimeDelta,
    /// Most bytes of a body.
    pub body_limit: usize,
    /// Most bytes of a batch.
    pub batch_limit: usize,
    /// Ready runs past which new tickets are turned away; `None`: never.
    pub max_queue_depth: Option<u64>,
    /// Connections open at once; more wait to be accepted.
    pub max_connections: usize,
    /// Longest a client may take to send a request's headers.
    pub header_timeout: Duration,
    /// Longest a client may take to send a body.
    pub body_timeout: Duration,
    /// Longest an answer may take; must exceed the 60 s that `Prefer: wait` may ask for.
    pub request_timeout: Duration,
    /// How long requests under way may take to finish once the server was told to stop.
    pub drain: Duration,
    /// Whether an edit may leave out which version was seen.
    pub last_write_wins: bool,
    /// Categories that a ticket can be given; none: whatever is well-formed.
    pub categories: Vec<Category>,
    /// Age of the oldest ready run past which the queue counts as unhealthy.
    pub stalled_after: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            idempotency_key_window: TimeDelta::hours(24),
            content_window: TimeDelta::hours(24),
            body_limit: 1024 * 1024,
            batch_limit: 16 * 1024 * 1024,
            max_queue_depth: None,
            max_connections: 4_096,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(90),
            drain: Duration::from_secs(20),
            last_write_wins: false,
            categories: Vec::new(),
            stalled_after: Duration::from_mins(5),
        }
    }
}

/// What every handler may use; clones share it.
#[derive(Clone)]
pub struct ApiState {
    pub(crate) client: Client,
    pub(crate) settings: Arc<ApiSettings>,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) admission: Arc<Admission>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) shutdown: CancellationToken,
}

impl ApiState {
    /// Puts the state together. `metrics` renders `/metrics`; once `shutdown` is cancelled, readiness fails and
    /// waiting requests are answered.
    pub fn new(
        client: Client,
        settings: ApiSettings,
        metrics: PrometheusHandle,
        shutdown: CancellationToken,
    ) -> Self {
        let admission = Arc::new(Admission::new(settings.max_queue_depth));
        let started_at = client.clock().now();
        Self { client, settings: Arc::new(settings), metrics, admission, started_at, shutdown }
    }

    /// A connection for one request. Whatever keeps it from being had, the client may try again later.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, Problem> {
        let connection = self.client.pool().acquire().await;
        connection.map_err(|error| Problem::bare(Code::Unavailable).caused_by(error))
    }

    /// Who causes what a request changes.
    #[expect(clippy::unused_self, reason = "who it is will depend on the request's key")]
    pub(crate) fn actor(&self) -> Actor {
        Actor::new("api")
    }
}
