//! Keeps the lease alive: one statement per process and beat, never one per run.
//!
//! Where the beat finds the worker declared dead, the fence closes and the session ends.

use crate::session::{Session, connection, log_failure, pause, reconnect_delay};
use chrono::TimeDelta;
use std::{sync::Arc, time::Instant};
use ticketflow_engine::{StoreError, store::lease};
use tokio_util::sync::CancellationToken;

pub(crate) struct Heartbeat {
    session: Arc<Session>,
}

impl Heartbeat {
    pub(crate) const fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    /// Beats until `ended`, or until the worker is found dead.
    pub(crate) async fn run(self, ended: CancellationToken) {
        let interval = self.session.options.lease / 3;
        let mut failures = 0;
        while pause(&ended, if failures == 0 { interval } else { reconnect_delay(failures).min(interval) })
            .await
        {
            match self.beat().await {
                Ok(true) => failures = 0,
                Ok(false) => {
                    tracing::warn!(worker.id = %self.session.id, "declared dead; starting over under a new id");
                    self.session.fence.close();
                    return;
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(error = &error as &dyn std::error::Error, failures, "no heartbeat");
                }
            }
        }
    }

    async fn beat(&self) -> Result<bool, StoreError> {
        let session = &self.session;
        let mut connection = connection(session.client.pool()).await?;
        let sent = Instant::now();
        let Some(now) = lease::heartbeat(&mut connection, session.id, session.options.lease).await? else {
            return Ok(false);
        };
        session.client.clock().calibrate(now, round_trip(sent));
        session.fence.renew(sent, session.options.lease);
        let interval = session.options.lease / 3;
        let uncertain = session.held.is_uncertain();
        if uncertain || session.held.any_older_than(interval) {
            let leased = lease::held(&mut connection, session.id).await?;
            session.held.cut_off_lost(&leased, interval);
            // Only then: a claim under way has leased runs that are not in hand yet.
            if uncertain {
                let unknown = session.held.unknown(&leased);
                session.hand_back(&unknown).await?;
            }
        }
        log_failure(session.hand_back_dropped().await, "dropped runs were not handed back yet");
        Ok(true)
    }
}

pub(crate) fn round_trip(sent: Instant) -> TimeDelta {
    TimeDelta::from_std(sent.elapsed()).unwrap_or_default()
}
