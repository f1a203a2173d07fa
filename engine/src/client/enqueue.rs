//! Enqueue with group commit: requests that arrive while a commit is in flight are written together by the next.

use super::Client;
use crate::{
    Catalog,
    chain::Hash,
    clock::entropy,
    committer::project,
    error::{ControlError, StoreError},
    event::{Created, Event, Fork},
    history::{Stamp, record},
    id::{Actor, Bucket, DefinitionId, Epoch, RunId, Seq},
    projection::Change,
    store::{
        control,
        enqueue::{self, Enqueued, Guard, NewRun},
    },
    wakeup::Wakeup,
    workflow::Definition,
};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection, PgPool};
use std::{collections::HashSet, sync::Arc};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Most runs in one commit.
const BATCH_CAP: usize = 500;
/// Tasks that commit: while one waits for its commit the other collects.
const TASKS: usize = 2;

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
        let outcome = write(connection, &self.catalog, &[run]).await?;
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

type Reply = oneshot::Sender<Result<Enqueued, StoreError>>;

#[derive(Clone)]
pub(super) struct Enqueuer {
    sender: mpsc::Sender<(NewRun, Reply)>,
}

impl Enqueuer {
    pub(super) fn start(pool: &PgPool, catalog: &Catalog, wakeup: &Wakeup) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH_CAP);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..TASKS {
            let writer = Writer {
                pool: pool.clone(),
                catalog: catalog.clone(),
                wakeup: wakeup.clone(),
                receiver: receiver.clone(),
            };
            tokio::spawn(writer.run());
        }
        Self { sender }
    }

    async fn enqueue(&self, run: NewRun) -> Result<Enqueued, StoreError> {
        let gone = || StoreError::database("enqueue a run")(sqlx::Error::WorkerCrashed);
        let (reply, outcome) = oneshot::channel();
        self.sender.send((run, reply)).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

struct Writer {
    pool: PgPool,
    catalog: Catalog,
    wakeup: Wakeup,
    receiver: Arc<Mutex<mpsc::Receiver<(NewRun, Reply)>>>,
}

impl Writer {
    async fn run(self) {
        let mut held_over: Vec<(NewRun, Reply)> = Vec::new();
        loop {
            let mut batch = std::mem::take(&mut held_over);
            if batch.is_empty() && self.receiver.lock().await.recv_many(&mut batch, BATCH_CAP).await == 0 {
                return;
            }
            // The database takes no two rows with one key in a statement: the second of two equal requests waits for
            // the next, and finds the first one's run.
            let mut keys = HashSet::new();
            let (now, later) = batch.into_iter().partition(|(run, _)| {
                run.guard.as_ref().is_none_or(|guard| keys.insert(*guard.key_hash.as_bytes()))
            });
            held_over = later;
            self.write(now).await;
        }
    }

    /// Writes a batch; if that fails as a whole, run by run, so that one bad run harms no other.
    async fn write(&self, batch: Vec<(NewRun, Reply)>) {
        let (runs, replies): (Vec<NewRun>, Vec<Reply>) = batch.into_iter().unzip();
        match self.attempt(&runs).await {
            Ok(outcomes) => {
                let ready = runs.iter().filter(|run| run.start_at.is_none()).count();
                self.wakeup.ready(&self.pool, ready);
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    answer(reply, Ok(outcome));
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    runs = runs.len(),
                    "a batch was not enqueued"
                );
                let mut gone = false;
                for (run, reply) in runs.into_iter().zip(replies) {
                    // Once the database is known to be away, nobody waits for it again.
                    let outcome = if gone { Err(unreached()) } else { self.write_alone(&run).await };
                    gone = gone || matches!(&outcome, Err(error) if error.is_transient());
                    answer(reply, outcome);
                }
            }
        }
    }

    /// Writes one run after a failure whose answer may have been lost: if the run is there, it was written.
    async fn write_alone(&self, run: &NewRun) -> Result<Enqueued, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect to enqueue"))?;
        if control::header(&mut connection, run.id, false).await?.is_some() {
            self.wakeup.ready(&self.pool, 1);
            return Ok(Enqueued::Created(run.id));
        }
        drop(connection);
        let outcomes = self.attempt(std::slice::from_ref(run)).await?;
        self.wakeup.ready(&self.pool, 1);
        outcomes
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::database("enqueue a run")(sqlx::Error::RowNotFound))
    }

    async fn attempt(&self, runs: &[NewRun]) -> Result<Vec<Enqueued>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::database("connect to enqueue"))?;
        let projected = runs.iter().any(|run| {
            self.catalog.get(&run.definition).is_some_and(|definition| definition.projection.is_some())
        });
        if !projected {
            return enqueue::enqueue(&mut connection, runs).await;
        }
        let mut transaction = connection.begin().await.map_err(StoreError::database("begin to enqueue"))?;
        let outcomes = write(&mut transaction, &self.catalog, runs).await?;
        transaction.commit().await.map_err(StoreError::database("commit what was enqueued"))?;
        Ok(outcomes)
    }
}

fn unreached() -> StoreError {
    StoreError::database("enqueue a run")(sqlx::Error::PoolTimedOut)
}

fn answer(reply: Reply, outcome: Result<Enqueued, StoreError>) {
    // Whoever asked may have gone away; the run is durable all the same.
    drop(reply.send(outcome));
}

/// Writes runs and their projections on the caller's connection.
async fn write(
    connection: &mut PgConnection,
    catalog: &Catalog,
    runs: &[NewRun],
) -> Result<Vec<Enqueued>, StoreError> {
    let outcomes = enqueue::enqueue(connection, runs).await?;
    let fresh = runs.iter().zip(&outcomes).filter(|(_, outcome)| matches!(outcome, Enqueued::Created(_)));
    let changes = fresh.map(|(run, _)| {
        (&run.definition, Change { run: run.id, events: std::slice::from_ref(&run.created) })
    });
    project(connection, catalog, changes).await?;
    Ok(outcomes)
}
