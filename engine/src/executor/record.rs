//! Writes what a step answered, folding in what moved on meanwhile, and keeps the run in hand up to date.

use super::{
    DEADLINE_GRACE, Ended, Executor, ExecutorError, delta,
    held::{Held, Outcome},
};
use crate::{
    committer::{Commit, Committed},
    error::StoreError,
    event::Event,
    history::{History, Stamp},
    live_row::{Keeper, row_after},
    observe,
    status::LiveState,
    store::{
        advance::{Advance, RowAfter},
        event,
    },
    transition::{Effect, Phase},
};
use chrono::{DateTime, Utc};
use std::time::Duration;

impl Executor {
    /// Writes an outcome, folding in what moved on meanwhile. `Some`: the run is no longer held.
    pub(super) async fn record(
        &self,
        held: &mut Held,
        mut outcome: Outcome,
    ) -> Result<Option<Ended>, ExecutorError> {
        loop {
            self.take_waiting_signal(held, &mut outcome).await?;
            let (commit, history) = self.commit_of(held, &outcome)?;
            match self.committer.commit(commit).await {
                Committed::Written => return Ok(self.advanced(held, history)),
                Committed::Fenced => return Ok(Some(Ended::Fenced)),
                Committed::MovedOn { signal_count } => {
                    held.lease.signal_count = signal_count;
                    if !self.catch_up(held).await? {
                        return Ok(Some(Ended::Fenced));
                    }
                }
                // Left leased, its deadline brings it back, at a pace that harms nobody.
                Committed::Unwritten => return Ok(Some(Ended::Stuck)),
                Committed::Refused(_) if outcome.is_refusal() => return Ok(Some(Ended::Stuck)),
                Committed::Refused(problem) => outcome = Outcome::refused(held, outcome.took, &problem),
            }
        }
    }

    /// A step that asks to wait for a signal which is there already goes on at once.
    async fn take_waiting_signal(&self, held: &Held, outcome: &mut Outcome) -> Result<(), StoreError> {
        if let Some(Event::Waited(waited)) = outcome.events.last()
            && let Some(received) = self.pending_signal(held, &waited.signal).await?
        {
            outcome.events.push(Event::SignalReceived(received));
        }
        Ok(())
    }

    fn commit_of(&self, held: &Held, outcome: &Outcome) -> Result<(Commit, History), ExecutorError> {
        let mut history = held.history.clone();
        let mut records = Vec::with_capacity(outcome.events.len());
        for event in &outcome.events {
            let record = history.chain(event.clone(), self.stamp(held, outcome.took))?;
            history.apply(&record)?;
            records.push(record);
        }
        let row = self.row_after(held, &history);
        let waits = matches!(&row, RowAfter::Live { state: LiveState::Waiting, .. });
        let advance = Advance {
            run: held.lease.id,
            epoch: held.lease.epoch,
            seq: held.history.seq,
            epoch_after: held.lease.epoch,
            signals_seen: waits.then_some(held.lease.signal_count),
            row,
            events: records,
            hash: history.hash,
        };
        Ok((held.commit(advance, outcome.work.clone()), history))
    }

    fn stamp(&self, held: &Held, took: Option<Duration>) -> Stamp {
        Stamp {
            epoch: held.lease.epoch,
            attempt: held.attempt,
            actor: self.actor.clone(),
            duration_ms: took.map(|took| i32::try_from(took.as_millis()).unwrap_or(i32::MAX)),
            at: self.clock.now(),
        }
    }

    /// The live row as this worker leaves it: its own as long as a step can run.
    fn row_after(&self, held: &Held, history: &History) -> RowAfter {
        let state = &history.state;
        let attempt = match &state.phase {
            Phase::Runnable if !state.stays(&held.history.state) => 1,
            Phase::Runnable | Phase::Backoff { .. } => held.attempt,
            // Called again, a step begins anew; the others call none.
            Phase::Sleeping { .. }
            | Phase::Waiting { .. }
            | Phase::Paused { .. }
            | Phase::Finishing
            | Phase::Failed
            | Phase::Cancelled
            | Phase::Completed => 0,
        };
        let timeout = held.definition.step(&state.step).map_or(Duration::ZERO, |step| step.policy.timeout());
        let deadline_at = self.clock.now() + delta(timeout + DEADLINE_GRACE);
        row_after(history, attempt, Keeper::Worker { deadline_at })
    }

    fn advanced(&self, held: &mut Held, history: History) -> Option<Ended> {
        let stays = history.state.stays(&held.history.state);
        held.history = history;
        match held.history.state.phase.effect() {
            Effect::Run => {
                if !stays {
                    held.attempt = 1;
                }
                None
            }
            Effect::Park { wake_at, .. } => Some(Ended::Parked { wake_at }),
            Effect::Close(status) => {
                let age = self.clock.now() - held.history.created_at;
                observe::finished(status.as_str(), age.to_std().unwrap_or_default());
                Some(Ended::Closed)
            }
            Effect::Finish => Some(Ended::Closed),
        }
    }

    /// Folds what others appended to the log under our lease. False: by now it is another's.
    async fn catch_up(&self, held: &mut Held) -> Result<bool, ExecutorError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect for a log"))?;
        let newer = event::load(&mut connection, held.lease.id, held.history.seq.0).await?;
        if newer.iter().any(|record| record.epoch > held.lease.epoch) {
            return Ok(false);
        }
        newer.iter().try_for_each(|record| held.history.apply(record))?;
        Ok(true)
    }

    /// Puts a run back to rest that was woken for nothing.
    pub(super) async fn rest(
        &self,
        mut held: Held,
        wake_at: Option<DateTime<Utc>>,
    ) -> Result<Ended, ExecutorError> {
        let (commit, _) = self.commit_of(&held, &Outcome::nothing())?;
        match self.committer.commit(commit).await {
            Committed::Written => Ok(Ended::Parked { wake_at }),
            // A signal came meanwhile: hand the run back, and the next claim sees it.
            Committed::MovedOn { signal_count } => {
                held.lease.signal_count = signal_count;
                Ok(Ended::Interrupted)
            }
            Committed::Unwritten | Committed::Refused(_) => Ok(Ended::Stuck),
            Committed::Fenced => Ok(Ended::Fenced),
        }
    }
}
