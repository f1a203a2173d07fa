//! Enqueue: what somebody wants becomes a run, with its first event made.

use super::{Client, enqueuer};
use crate::{
    chain::Hash,
    clock::entropy,
    error::{ControlError, StoreError},
    event::{Created, Event, Fork},
    history::{Stamp, record},
    id::{Actor, Bucket, DefinitionId, Epoch, RunId, Seq},
    store::enqueue::{Enqueued, Guard, NewRun},
    workflow::Definition,
};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use std::sync::Arc;

/// A run somebody wants.
#[derive(Debug, Clone)]
pub struct EnqueueRequest {
    /// Workflow.
    pub workflow: Arc<str>,
    /// Version of it; `None`: the newest this process knows.
    pub version: Option<i32>,
    /// Its input, as JSON.
    pub input: Box<RawValue>,
    /// Who asks.
    pub actor: Actor,
    /// What makes a repetition the same request.
    pub guard: Option<Guard>,
    /// When it may start; `None`: at once.
    pub start_at: Option<DateTime<Utc>>,
    /// Lower is claimed first; `None`: the definition's.
    pub priority: Option<i16>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Where it takes over from another run.
    pub fork: Option<(crate::StepName, Fork)>,
}

impl EnqueueRequest {
    /// A run of `workflow` with nothing special about it.
    pub fn new(workflow: &str, input: Box<RawValue>, actor: Actor) -> Self {
        Self {
            workflow: workflow.into(),
            version: None,
            input,
            actor,
            guard: None,
            start_at: None,
            priority: None,
            traceparent: None,
            fork: None,
        }
    }
}

impl Client {
    /// Enqueues a run; when this returns, it is durable.
    ///
    /// # Errors
    /// If the workflow is not known here, the input does not fit it, or the database did not do it.
    pub async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, ControlError> {
        let run = self.prepare(request)?;
        Ok(self.enqueuer.enqueue(run).await?)
    }

    /// Enqueues many runs, sharing commits; each has its own outcome, in order.
    pub async fn enqueue_many(&self, requests: Vec<EnqueueRequest>) -> Vec<Result<Enqueued, ControlError>> {
        futures::future::join_all(requests.into_iter().map(|request| self.enqueue(request))).await
    }

    /// Enqueues a run in the caller's transaction. Nothing wakes a worker; its poll will find the run.
    ///
    /// # Errors
    /// See [`Client::enqueue`].
    pub async fn enqueue_in(
        &self,
        connection: &mut PgConnection,
        request: EnqueueRequest,
    ) -> Result<Enqueued, ControlError> {
        let run = self.prepare(request)?;
        let outcome = enqueuer::write(connection, &self.catalog, &[run]).await?;
        outcome.into_iter().next().ok_or_else(|| {
            ControlError::Store(StoreError::database("enqueue a run")(sqlx::Error::RowNotFound))
        })
    }

    fn prepare(&self, request: EnqueueRequest) -> Result<NewRun, ControlError> {
        let wanted = DefinitionId::new(&request.workflow, request.version.unwrap_or(1));
        let definition = match request.version {
            Some(_) => self.catalog.get(&wanted),
            None => self.catalog.latest(&request.workflow),
        };
        let definition = definition.ok_or(ControlError::UnknownDefinition(wanted))?;
        definition.check_input(&request.input).map_err(|error| ControlError::BadValue {
            what: "the input".to_owned(),
            problem: error.to_string(),
        })?;
        new_run(definition, request, self.clock.now()).map_err(ControlError::from)
    }
}

fn new_run(
    definition: &Definition,
    request: EnqueueRequest,
    at: DateTime<Utc>,
) -> Result<NewRun, StoreError> {
    let bucket = request.guard.as_ref().map(|guard| Bucket(guard.key_hash.as_bytes()[0]));
    let id = RunId::new(at, entropy(), bucket);
    let (step, fork) = match request.fork {
        Some((step, fork)) => (step, Some(fork)),
        None => (definition.first_step().clone(), None),
    };
    let concurrency = definition.concurrency_key(&request.input);
    let created = Created {
        workflow: definition.id.workflow.clone(),
        version: definition.id.version,
        step: step.clone(),
        input: request.input,
        fork,
    };
    let stamp = Stamp { epoch: Epoch(0), attempt: 0, actor: request.actor, duration_ms: None, at };
    Ok(NewRun {
        id,
        definition: definition.id.clone(),
        queue: definition.queue.clone(),
        priority: request.priority.unwrap_or(definition.priority),
        concurrency,
        start_at: request.start_at,
        guard: request.guard,
        traceparent: request.traceparent,
        created: record(id, Seq(0), Hash::GENESIS, Some(step), Event::Created(created), stamp)?,
    })
}
