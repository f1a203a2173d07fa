//! Operators' actions. Each takes an actor and a reason, locks the run, folds its log, appends one event and moves the
//! epoch on, so that a worker that holds the run loses it.

use super::Client;
use crate::{
    committer::{Commit, announce, project, write_commits},
    error::{ControlError, StoreError},
    event::{Event, Intervention, Migrated, Resumed},
    history::{History, Stamp},
    id::{Actor, DefinitionId, Epoch, RunId, StepName},
    live_row::{Keeper, row_after},
    pooler::settle,
    projection::Change,
    status::RunStatus,
    store::{
        advance::Advance,
        control::{self, Header, LiveRow},
        event, limit,
    },
    wire::Need,
    workflow::Definition,
};
use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection};
use std::{collections::BTreeMap, sync::Arc};

/// Outputs that an operator puts in the place of checkpoints, by step.
pub type EditedOutputs = BTreeMap<StepName, Box<RawValue>>;

/// A run locked for an action.
pub(super) struct Locked {
    pub(super) header: Header,
    pub(super) live: Option<LiveRow>,
    pub(super) history: History,
    /// Epoch of the last event.
    pub(super) epoch: Epoch,
    /// Signals sent so far.
    pub(super) signals: i32,
}

impl Client {
    /// Ends a live run.
    ///
    /// # Errors
    /// If it is finished or unknown.
    pub async fn cancel(&self, run: RunId, actor: &Actor, reason: &str) -> Result<(), ControlError> {
        let event = Event::Cancelled(Intervention { reason: reason.to_owned() });
        self.intervene(run, actor, event, "it is finished already").await
    }

    /// Stops a live run until it is resumed.
    ///
    /// # Errors
    /// If it is finished, paused already or unknown.
    pub async fn pause(&self, run: RunId, actor: &Actor, reason: &str) -> Result<(), ControlError> {
        let event = Event::Paused(Intervention { reason: reason.to_owned() });
        self.intervene(run, actor, event, "only a run that is under way can be paused").await
    }

    /// Ends a backoff or a sleep now.
    ///
    /// # Errors
    /// If the run is not sleeping.
    pub async fn retry_now(&self, run: RunId, actor: &Actor, reason: &str) -> Result<(), ControlError> {
        let event = Event::RetriedNow(Intervention { reason: reason.to_owned() });
        self.intervene(run, actor, event, "only a run that sleeps can be retried at once").await
    }

    /// Lets a paused, failed or cancelled run go on: where it stood, or from `from_step`, perhaps with earlier
    /// outputs replaced.
    ///
    /// # Errors
    /// If it is in no state for it, the step is unknown or lacks a checkpoint it needs, or an output does not fit.
    pub async fn resume(
        &self,
        run: RunId,
        actor: &Actor,
        reason: &str,
        from_step: Option<StepName>,
        edited: EditedOutputs,
    ) -> Result<(), ControlError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect"))?;
        let mut transaction = connection.begin().await.map_err(StoreError::database("begin to resume"))?;
        let locked = lock(&mut transaction, run).await?;
        self.check_resume(&locked.history, from_step.as_ref(), &edited)?;
        let signals_seen = if from_step.is_some() { locked.signals } else { 0 };
        let event = Event::Resumed(Resumed { reason: reason.to_owned(), from_step, edited, signals_seen });
        let advice = "only a paused, failed or cancelled run can be resumed; a completed one can be forked";
        let commit = self.write(&mut transaction, locked, actor, event, advice).await?;
        transaction.commit().await.map_err(StoreError::database("commit a resume"))?;
        settle(&mut connection).await?;
        announce(&self.catalog, [&commit]);
        self.wakeup.ready(&self.pool, 1);
        Ok(())
    }

    /// Moves a live run to another version of its workflow, to go on from `to_step`.
    ///
    /// # Errors
    /// If the run is finished, or the version or step is unknown.
    pub async fn migrate(
        &self,
        run: RunId,
        actor: &Actor,
        reason: &str,
        to_version: i32,
        to_step: StepName,
    ) -> Result<(), ControlError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect"))?;
        let mut transaction = connection.begin().await.map_err(StoreError::database("begin to migrate"))?;
        let locked = lock(&mut transaction, run).await?;
        let target = DefinitionId::new(&locked.header.definition.workflow, to_version);
        let definition = self.definition(&target)?;
        check_ready(&definition, &to_step, |step| locked.history.has_checkpoint(step))?;
        let signals_seen = locked.signals;
        let event =
            Event::Migrated(Migrated { reason: reason.to_owned(), to_version, to_step, signals_seen });
        let commit =
            self.write(&mut transaction, locked, actor, event, "only a live run can be migrated").await?;
        control::set_version(&mut transaction, run, to_version).await?;
        transaction.commit().await.map_err(StoreError::database("commit a migration"))?;
        settle(&mut connection).await?;
        announce(&self.catalog, [&commit]);
        self.wakeup.ready(&self.pool, 1);
        Ok(())
    }

    async fn intervene(
        &self,
        run: RunId,
        actor: &Actor,
        event: Event,
        advice: &str,
    ) -> Result<(), ControlError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect"))?;
        let mut transaction = connection.begin().await.map_err(StoreError::database("begin an action"))?;
        let locked = lock(&mut transaction, run).await?;
        let commit = self.write(&mut transaction, locked, actor, event, advice).await?;
        transaction.commit().await.map_err(StoreError::database("commit an action"))?;
        settle(&mut connection).await?;
        announce(&self.catalog, [&commit]);
        self.wakeup.ready(&self.pool, 1);
        Ok(())
    }

    /// Appends `event`, if it can follow, and puts the run's row in the state that follows from it.
    async fn write(
        &self,
        connection: &mut PgConnection,
        locked: Locked,
        actor: &Actor,
        event: Event,
        advice: &str,
    ) -> Result<Commit, ControlError> {
        let Locked { header, live, mut history, epoch, signals } = locked;
        let status = history.state.phase.name();
        let (seq, epoch) = (history.seq, live.as_ref().map_or(epoch, |row| row.epoch));
        let stamp = Stamp {
            epoch: epoch.next(),
            attempt: 0,
            actor: actor.clone(),
            duration_ms: None,
            at: self.clock.now(),
        };
        let record = history.chain(event, stamp)?;
        let refused =
            |advice: &str| ControlError::Conflict { run: header.id, status, advice: advice.to_owned() };
        history.apply(&record).map_err(|_| refused(advice))?;
        // Whoever does not know the definition does not know its projection, and would leave that behind.
        let definition = self.definition(&history.state.definition)?;
        let started = live.as_ref().filter(|_| !starts_over(&record.event)).map_or(0, |row| row.attempt);
        let advance = Advance {
            run: header.id,
            epoch,
            seq,
            epoch_after: epoch.next(),
            signals_seen: None,
            row: row_after(&history, started, Keeper::Nobody { ready_at: self.clock.now() }),
            hash: record.hash,
            events: vec![record],
        };
        let commit = Commit {
            advance,
            definition: history.state.definition,
            work: Vec::new(),
            slots: live.as_ref().map_or(0, |row| row.slots),
            queue: header.queue.clone(),
            concurrency_key: header.concurrency_key.clone(),
        };
        if live.is_none() {
            let limit = definition.concurrency.as_ref().map(|rule| rule.limit);
            self.reopen(connection, &header, &commit, signals, limit).await?;
        } else if write_commits(connection, &self.catalog, &[&commit]).await?.is_empty() {
            // The row is locked, so only a bug could have moved it.
            return Err(refused("it moved while it was locked; try again"));
        }
        Ok(commit)
    }

    /// Writes to a run that has no live row, and gives it one.
    async fn reopen(
        &self,
        connection: &mut PgConnection,
        header: &Header,
        commit: &Commit,
        signals: i32,
        key_limit: Option<i32>,
    ) -> Result<(), ControlError> {
        let events = &commit.advance.events;
        if let (Some(key), Some(most)) = (&header.concurrency_key, key_limit) {
            limit::ensure_key(connection, key, most).await?;
        }
        control::append_closed(connection, header.id, events).await?;
        control::reopen(connection, header, &commit.advance, signals).await?;
        let change = Change { run: header.id, events };
        project(connection, &self.catalog, std::iter::once((&commit.definition, change))).await?;
        Ok(())
    }

    fn check_resume(
        &self,
        history: &History,
        from_step: Option<&StepName>,
        edited: &EditedOutputs,
    ) -> Result<(), ControlError> {
        let definition = self.definition(&history.state.definition)?;
        check_edited(&definition, edited)?;
        match from_step {
            Some(step) => {
                let mut kept = history.clone();
                kept.forget_from(step);
                check_ready(&definition, step, |name| kept.has_checkpoint(name) || edited.contains_key(name))
            }
            None => Ok(()),
        }
    }

    pub(super) fn definition(&self, id: &DefinitionId) -> Result<Arc<Definition>, ControlError> {
        self.catalog.get(id).cloned().ok_or_else(|| ControlError::UnknownDefinition(id.clone()))
    }
}

/// Checks that every replaced output is one of its step's.
pub(super) fn check_edited(definition: &Definition, edited: &EditedOutputs) -> Result<(), ControlError> {
    for (step, output) in edited {
        let found = definition.step(step).ok_or_else(|| unknown_step(definition, step))?;
        found.body.check_output(output).map_err(|error| ControlError::BadValue {
            what: format!("the output of {step}"),
            problem: error.to_string(),
        })?;
    }
    Ok(())
}

/// Checks that a step exists and that every output it needs is there.
pub(super) fn check_ready(
    definition: &Definition,
    step: &StepName,
    has: impl Fn(&StepName) -> bool,
) -> Result<(), ControlError> {
    let found = definition.step(step).ok_or_else(|| unknown_step(definition, step))?;
    let missing = found.needs.iter().find_map(|need| match need {
        Need::Output(name) if !has(name) => Some(name.clone()),
        Need::Output(_) | Need::Input(..) | Need::Maybe(_) => None,
    });
    match missing {
        Some(missing) => Err(ControlError::MissingCheckpoint { step: step.clone(), missing }),
        None => Ok(()),
    }
}

/// Whether the step begins anew, so that attempts made before do not count.
const fn starts_over(event: &Event) -> bool {
    match event {
        Event::Resumed(resumed) => resumed.from_step.is_some(),
        Event::Migrated(_) => true,
        Event::Created(_)
        | Event::StepCompleted(_)
        | Event::StepRetried(_)
        | Event::Slept(_)
        | Event::Waited(_)
        | Event::SignalReceived(_)
        | Event::WaitTimedOut(_)
        | Event::LeaseExpired(_)
        | Event::Noted(_)
        | Event::Annotated(_)
        | Event::Paused(_)
        | Event::RetriedNow(_)
        | Event::Cancelled(_)
        | Event::Failed(_)
        | Event::Completed(_) => false,
    }
}

fn unknown_step(definition: &Definition, step: &StepName) -> ControlError {
    ControlError::UnknownStep {
        definition: definition.id.clone(),
        step: step.clone(),
        known: definition.step_names(),
    }
}

/// Locks a run, live row first, which is the order in which workers take the two.
pub(super) async fn lock(connection: &mut PgConnection, run: RunId) -> Result<Locked, ControlError> {
    let mut live = control::live(connection, run, true).await?;
    let header = control::header(connection, run, live.is_none()).await?;
    let header = header.ok_or(ControlError::NotFound(run))?;
    if live.is_none() && header.status == RunStatus::Live {
        live = control::live(connection, run, true).await?;
    }
    let log = event::load(connection, run, -1).await?;
    let history = History::fold(run, &log).map_err(|source| ControlError::Illegal { run, source })?;
    let epoch = log.last().map_or(Epoch(0), |last| last.epoch);
    let signals = match &live {
        Some(live) => live.signal_count,
        None => control::signal_count(connection, run).await?,
    };
    Ok(Locked { header, live, history, epoch, signals })
}
