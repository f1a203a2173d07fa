//! After each beat: puts right what this process and the database think of its runs.

use crate::{
    pacing::BEATS_PER_LEASE,
    session::{Session, log_failure},
};
use std::sync::Arc;
use ticketflow_engine::{Epoch, RunId, StoreError, loan::Loan, store::lease};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Compares after each renewal of the lease, until `ended`.
pub(crate) async fn reconcile(session: Arc<Session>, renewed: Arc<Notify>, ended: CancellationToken) {
    while ended.run_until_cancelled(renewed.notified()).await.is_some() {
        log_failure(compare(&session).await, "the runs in hand were not compared");
        log_failure(session.hand_back_dropped().await, "dropped runs were not handed back yet");
    }
}

/// Cuts off what was taken away meanwhile (an operator cancelled it, say), and drops what a lost answer leased.
async fn compare(session: &Session) -> Result<(), StoreError> {
    let interval = session.options.lease / BEATS_PER_LEASE;
    let claim_lost = session.held.take_claim_lost();
    if !claim_lost && !session.held.any_older_than(interval) {
        return Ok(());
    }
    let leased = match session.in_time(leased(session)).await {
        Ok(leased) => leased,
        Err(error) => {
            if claim_lost {
                session.held.claim_lost();
            }
            return Err(error);
        }
    };
    session.held.cut_off_lost(&leased, interval);
    // Only then: a claim under way has leased runs that are not in hand yet.
    if claim_lost {
        session.held.drop_unknown(&leased);
    }
    Ok(())
}

async fn leased(session: &Session) -> Result<Vec<(RunId, Epoch)>, StoreError> {
    let mut connection = Loan::of(session.client.pool()).await?;
    let leased = lease::held(&mut connection, session.id).await?;
    connection.give_back().await?;
    Ok(leased)
}
