//! Listens for wake-ups from other processes and passes them on within this one.

use crate::session::{pause, reconnect_delay};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use ticketflow_engine::wakeup::{CHANNEL, Wakeup};
use tokio_util::sync::CancellationToken;

/// Listens until `ended`, through outages. Subscribed anew, it wakes once: a wake-up may have been missed.
pub(crate) async fn listen(options: PgConnectOptions, wakeup: Wakeup, ended: CancellationToken) {
    let mut failures = 0;
    loop {
        let heard = ended.run_until_cancelled(hear(&options, &wakeup)).await;
        let Some(Err(error)) = heard else { return };
        failures += 1;
        tracing::debug!(error = &error as &dyn std::error::Error, "not listening; the poll goes on");
        if !pause(&ended, reconnect_delay(failures)).await {
            return;
        }
    }
}

async fn hear(options: &PgConnectOptions, wakeup: &Wakeup) -> Result<(), sqlx::Error> {
    // A pool of its own: a listener that is dropped unlistens before it returns its connection, and where the network
    // swallows that it never returns.
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    wakeup.wake_local();
    loop {
        // `None`: the connection was lost and is there again.
        listener.try_recv().await?;
        wakeup.wake_local();
    }
}
