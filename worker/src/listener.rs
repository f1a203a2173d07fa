//! Listens for wake-ups from other processes and passes them on within this one.

use crate::{
    pacing,
    session::{Session, pause, reconnect_delay},
};
use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification},
};
use std::sync::{Arc, atomic::Ordering};
use ticketflow_engine::{clock::random_fraction, pooler, wakeup::CHANNEL};
use tokio_util::sync::CancellationToken;

/// Listens where `pool` goes until `ended`, through outages. Subscribed anew, it wakes once: a wake-up may have been missed.
pub(crate) async fn listen(session: Arc<Session>, pool: PgPool, ended: CancellationToken) {
    let mut failures = 0;
    loop {
        let heard = ended.run_until_cancelled(hear(&pool, &session)).await;
        let Some(Err(error)) = heard else { return };
        failures += 1;
        tracing::debug!(error = &error as &dyn std::error::Error, "not listening; the poll goes on");
        if !pause(&ended, reconnect_delay(failures)).await {
            return;
        }
    }
}

async fn hear(pool: &PgPool, session: &Session) -> Result<(), sqlx::Error> {
    // A pool of its own: a listener that is dropped unlistens before it returns its connection, and where the network
    // swallows that it never returns.
    let mut listener = PgListener::connect_with(&pooler::alone(pool)).await?;
    listener.listen(CHANNEL).await?;
    session.client.wakeup().wake_local();
    loop {
        let heard = listener.try_recv().await?;
        if is_called(session, heard.as_ref()) {
            session.client.wakeup().wake_local();
        }
    }
}

fn is_called(session: &Session, heard: Option<&PgNotification>) -> bool {
    // `None`: the connection was lost and is there again. An older release does not say how many runs.
    let Some(runs) = heard.and_then(|heard| told(heard.payload())) else { return true };
    let fleet = session.fleet.load(Ordering::Acquire);
    pacing::is_called(fleet, runs, session.options.capacity, random_fraction())
}

/// The runs that a wake-up tells of.
fn told(payload: &str) -> Option<usize> {
    payload.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_that_does_not_say_for_how_many_runs_calls_everybody() {
        assert_eq!(["1", "1280", "", "many", "-1"].map(told), [Some(1), Some(1_280), None, None, None]);
    }
}
