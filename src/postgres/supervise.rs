//! Brings the server back when it dies under us, at the same endpoint, so that connection pools find it again.

use super::{EmbeddedPostgres, error::EmbeddedError, launch, server::Server};
use std::{
    error::Error,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A server that ran this long has not died of what its predecessor died of.
const SETTLED: Duration = Duration::from_mins(1);

impl EmbeddedPostgres {
    /// Restarts the server whenever it ends, until `shutdown` is cancelled. One call at a time; meant to be joined
    /// with what uses the database, and followed by [`EmbeddedPostgres::stop`].
    pub(crate) async fn supervise(&self, shutdown: CancellationToken) {
        // When cancelled in the middle of a restart, the new server is already in its place, where `stop` finds it.
        shutdown.run_until_cancelled(self.keep_alive()).await;
    }

    async fn keep_alive(&self) {
        let mut server = self.server.lock().await;
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            server.exited().await;
            if started.elapsed() > SETTLED {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(
                postgres.pid = server.pid(),
                "the database server has ended; restarting it in {pause:?}"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.restart(&mut server).await {
                Ok(()) => tracing::info!(postgres.pid = server.pid(), "the database server is back"),
                Err(error) => tracing::error!(
                    error = &error as &dyn Error,
                    "the database server could not be restarted"
                ),
            }
        }
    }

    async fn restart(&self, server: &mut Server) -> Result<(), EmbeddedError> {
        *server = Server::spawn(&self.cluster, &self.endpoint)?;
        self.publish(server.pid());
        // May have had to start it more than once.
        let settled = launch::settle(server, &self.cluster, &self.endpoint).await;
        self.publish(server.pid());
        settled
    }
}
