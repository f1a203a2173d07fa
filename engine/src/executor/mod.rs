//! Advances one leased run: folds its log, calls the step with no transaction open, hands the result to the
//! committer and goes on in memory with the next step, until the run rests, ends or is lost.

mod attempt;
mod held;
mod record;

use crate::{
    Catalog, Clock,
    committer::Committer,
    error::{IllegalTransition, StoreError},
    event::{Event, Failure, SignalReceived, WaitTimedOut},
    fence::Fence,
    id::Actor,
    store::{claim::LeasedRun, signal},
    transition::{Arrival, Phase},
};
use chrono::{DateTime, TimeDelta, Utc};
use held::{Held, Outcome};
use sqlx::PgPool;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// Time a step may run past its time-out before other workers may take its run.
pub const DEADLINE_GRACE: Duration = Duration::from_secs(30);

/// How an executor let go of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is over.
    Closed,
    /// It rests; by time alone it is woken then.
    Parked {
        /// `None`: only a signal or an operator wakes it.
        wake_at: Option<DateTime<Utc>>,
    },
    /// The lease was lost: nothing of the last attempt counts.
    Fenced,
    /// The worker stops: the run is to be handed back.
    Interrupted,
    /// The database refuses even to record that it failed: it stays leased until its deadline.
    Stuck,
}

/// What an executor cannot mend; the run is left to the reaper.
#[derive(Debug, Error)]
pub enum ExecutorError {
    /// The log does not fold.
    #[error("the log is not a legal history")]
    Illegal(#[from] IllegalTransition),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything the executors of one worker share.
#[derive(Clone)]
pub struct Executor {
    /// What it can run.
    pub catalog: Catalog,
    /// Where results go.
    pub committer: Committer,
    /// For the rare reads.
    pub pool: PgPool,
    /// The database's time.
    pub clock: Clock,
    /// Who it writes as.
    pub actor: Actor,
    /// Whether its leases hold.
    pub fence: Fence,
    /// Pause before every step, so that people can watch; zero otherwise.
    pub pace: Duration,
}

/// What to do with a held run next.
enum Next {
    Call(Option<Arrival>),
    Write(Outcome),
    Rest { wake_at: Option<DateTime<Utc>> },
}

impl Executor {
    /// Advances a run until it rests, ends or is lost. `stop` ends it at the next checkpoint, `abort` at once.
    ///
    /// # Errors
    /// If the log cannot be read or folded.
    pub async fn run(
        &self,
        lease: LeasedRun,
        stop: &CancellationToken,
        abort: &CancellationToken,
    ) -> Result<Ended, ExecutorError> {
        let Some(mut held) = Held::take(lease, &self.catalog)? else {
            return Ok(Ended::Interrupted);
        };
        loop {
            if !self.fence.is_open(Instant::now()) {
                return Ok(Ended::Fenced);
            }
            if stop.is_cancelled() {
                return Ok(Ended::Interrupted);
            }
            let outcome = match Box::pin(self.next(&held)).await? {
                Next::Call(arrival) => match self.call(&held, arrival, abort).await {
                    Some(outcome) => outcome,
                    None if abort.is_cancelled() => return Ok(Ended::Interrupted),
                    None => return Ok(Ended::Fenced),
                },
                Next::Write(outcome) => outcome,
                Next::Rest { wake_at } => return Box::pin(self.rest(held, wake_at)).await,
            };
            // Boxed, for it is large: a run whose step takes its time has no use for it.
            if let Some(ended) = Box::pin(self.record(&mut held, outcome)).await? {
                return Ok(ended);
            }
        }
    }

    /// Decides, from the log and the signals, what comes next.
    async fn next(&self, held: &Held) -> Result<Next, ExecutorError> {
        let state = &held.history.state;
        let policy = held.policy();
        if state.crashes > i32::try_from(policy.max_crashes).unwrap_or(i32::MAX) {
            let message = format!("{} workers died on step {}", state.crashes, state.step);
            return Ok(Next::Write(Outcome::plain(Event::Failed(Failure::new("poison", message)))));
        }
        Ok(match &state.phase {
            Phase::Runnable | Phase::Backoff { .. } => Next::Call(state.arrival.clone()),
            Phase::Sleeping { .. } => Next::Call(Some(Arrival::Woke)),
            Phase::Waiting { signal, until } => self.arrived(held, signal, *until).await?,
            // A run in these phases has no ready row, so it is never leased; resting puts a wrong row right.
            Phase::Paused { .. } | Phase::Finishing | Phase::Failed | Phase::Cancelled | Phase::Completed => {
                Next::Rest { wake_at: None }
            }
        })
    }

    async fn arrived(
        &self,
        held: &Held,
        name: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Next, ExecutorError> {
        if let Some(received) = self.pending_signal(held, name).await? {
            return Ok(Next::Write(Outcome::plain(Event::SignalReceived(received))));
        }
        // The claim found it due by the database's clock, of which this process only has an estimate.
        let now = self.clock.now().max(held.lease.claimed_at);
        Ok(if until.is_some_and(|until| until <= now) {
            Next::Write(Outcome::plain(Event::WaitTimedOut(WaitTimedOut { signal: name.to_owned() })))
        } else {
            Next::Rest { wake_at: until }
        })
    }

    async fn pending_signal(&self, held: &Held, name: &str) -> Result<Option<SignalReceived>, StoreError> {
        if held.lease.signal_count == held.history.state.past_signals {
            return Ok(None);
        }
        let mut connection =
            self.pool.acquire().await.map_err(StoreError::database("connect for signals"))?;
        let state = &held.history.state;
        signal::pending(&mut connection, held.lease.id, name, state.past_signals, &state.consumed).await
    }
}

fn delta(duration: Duration) -> TimeDelta {
    // Whole microseconds, as the database keeps them.
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2);
    TimeDelta::microseconds(micros)
}
