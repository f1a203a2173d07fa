//! Listens for wake-ups from other processes and passes them on within this one.

use crate::session::{pause, reconnect_delay};
use sqlx::{PgPool, postgres::PgListener};
use ticketflow_engine::{
    pooler,
    wakeup::{CHANNEL, Wakeup},
};
use tokio_util::sync::CancellationToken;

/// Listens where `pool` goes until `ended`, through outages. Subscribed anew, it wakes once: a wake-up may have been missed.
pub(crate) async fn listen(pool: PgPool, wakeup: Wakeup, ended: CancellationToken) {
    let mut failures = 0;
    loop {
        let heard = ended.run_until_cancelled(hear(&pool, &wakeup)).await;
        let Some(Err(error)) = heard else { return };
        failures += 1;
        tracing::debug!(error = &error as &dyn std::error::Error, "not listening; the poll goes on");
        if !pause(&ended, reconnect_delay(failures)).await {
            return;
        }
    }
}

async fn hear(pool: &PgPool, wakeup: &Wakeup) -> Result<(), sqlx::Error> {
    // A pool of its own: a listener that is dropped unlistens before it returns its connection, and where the network
    // swallows that it never returns.
    let mut listener = PgListener::connect_with(&pooler::alone(pool)).await?;
    listener.listen(CHANNEL).await?;
    wakeup.wake_local();
    loop {
        // `None`: the connection was lost and is there again.
        listener.try_recv().await?;
        wakeup.wake_local();
    }
}
