//! Recording, with a run, what happened outside its workflow: an edit by an agent, a note. It changes nothing about
//! the run, and a worker that holds it keeps it.

use super::{
    Client,
    control::{Locked, lock},
};
use crate::{
    committer::project,
    error::{ControlError, StoreError},
    event::{Event, Note},
    history::Stamp,
    id::{Actor, RunId},
    projection::Change,
    store::control,
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
        let Locked { live, history, epoch: last, .. } = lock(connection, run).await?;
        self.definition(&history.state.definition)?;
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
