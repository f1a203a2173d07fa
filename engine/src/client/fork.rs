//! Fork: a new run that takes over another's checkpoints up to a step, perhaps with some of them replaced.

use super::{
    Client, EnqueueRequest,
    control::{EditedOutputs, check_edited, check_ready},
};
use crate::{
    error::{ControlError, StoreError},
    event::Fork,
    history::History,
    id::{Actor, RunId, StepName},
    store::{control, event},
};

impl Client {
    /// Starts a new run from `from_step` of another, live or finished, which is left as it is. Returns the new run.
    ///
    /// # Errors
    /// If the run or step is unknown, the step lacks a checkpoint it needs, or an output does not fit.
    pub async fn fork(
        &self,
        parent: RunId,
        actor: &Actor,
        reason: &str,
        from_step: StepName,
        edited: EditedOutputs,
    ) -> Result<RunId, ControlError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect"))?;
        let header = control::header(&mut connection, parent, false).await?;
        let header = header.ok_or(ControlError::NotFound(parent))?;
        let log = event::load(&mut connection, parent, -1).await?;
        drop(connection);
        let history =
            History::fold(parent, &log).map_err(|source| ControlError::Illegal { run: parent, source })?;
        let definition = self.definition(&history.state.definition)?;
        check_edited(&definition, &edited)?;
        let before = definition.steps.iter().take_while(|step| step.name != from_step);
        let mut outputs: EditedOutputs = before
            .filter_map(|step| Some((step.name.clone(), history.output(step.name.as_str())?.to_owned())))
            .collect();
        outputs.extend(edited);
        check_ready(&definition, &from_step, |step| outputs.contains_key(step))?;
        let fork = Fork { parent, parent_seq: history.seq, reason: reason.to_owned(), outputs };
        let mut request =
            EnqueueRequest::new(&header.definition.workflow, history.input().to_owned(), actor.clone());
        request.version = Some(definition.id.version);
        request.priority = Some(header.priority);
        request.traceparent = header.traceparent;
        request.fork = Some((from_step, fork));
        Ok(self.enqueue(request).await?.run())
    }
}
