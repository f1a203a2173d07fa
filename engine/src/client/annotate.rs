//! Recording, with a run, what happened outside its workflow: an edit by an agent, a note. It changes nothing about
//! the run, and a worker that holds it keeps it.

use super::Client;
use crate::{
    committer::project,
    error::{ControlError, StoreError},
    event::{Event, Note},
    history::{History, Stamp},
    id::{Actor, Epoch, RunId},
    projection::Change,
    store::{control, event},
};
use sqlx::PgConnection;

impl Client {
    /// Appends an annotation in the caller's transaction, to a live or a finished run, and brings the run's
    /// projection up to date.
    ///
    /// # Errors
    /// If there is no such run.
    pub async fn annotate(
        &self,
        connection: &mut PgConnection,
        run: RunId,
        actor: &Actor,
        note: Note,
    ) -> Result<(), ControlError> {
        let live = control::live(connection, run, true).await?;
        let header = control::header(connection, run, live.is_none()).await?;
        header.ok_or(ControlError::NotFound(run))?;
        let log = event::load(connection, run, -1).await?;
        let history = History::fold(run, &log).map_err(|source| ControlError::Illegal { run, source })?;
        let last = log.last().map_or(Epoch(0), |last| last.epoch);
        let epoch = live.as_ref().map_or(last, |live| live.epoch);
        let stamp =
            Stamp { epoch, attempt: 0, actor: actor.clone(), duration_ms: None, at: self.clock.now() };
        let record = history.chain(Event::Annotated(note), stamp)?;
        if live.is_some() {
            control::move_log_on(connection, run, &record).await?;
        }
        let events = [record];
        control::append_closed(connection, run, &events).await?;
        let change = Change { run, events: &events };
        let changes = std::iter::once((&history.state.definition, change));
        project(connection, &self.catalog, changes).await.map_err(StoreError::into)
    }
}
