//! Group commit of new runs: requests that arrive while a commit is in flight are written together by the next.

use crate::{
    Catalog,
    committer::project,
    error::StoreError,
    loan::Line,
    projection::Change,
    store::{
        control,
        enqueue::{self, Enqueued, NewRun},
    },
    topology::{PARTS_AT_ONCE, Topology},
    wakeup::Wakeup,
};
use futures::stream::{self, StreamExt};
use sqlx::{Connection, PgConnection, PgPool};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Most new runs in one commit.
pub const ENQUEUE_CAP: usize = 500;
/// Tasks of a process that commit new runs: while one waits for its commit the other collects.
pub const ENQUEUE_TASKS: usize = 2;
/// Longest wait for the database's answer: a connection that swallows what is sent must not hold up what comes after.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

type Reply = oneshot::Sender<Result<Enqueued, StoreError>>;

#[derive(Clone)]
pub(super) struct Enqueuer {
    sender: mpsc::Sender<(NewRun, Reply)>,
}

impl Enqueuer {
    pub(super) fn start(pool: &PgPool, catalog: &Catalog, wakeup: &Wakeup, topology: Topology) -> Self {
        let (sender, receiver) = mpsc::channel(4 * ENQUEUE_CAP);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..ENQUEUE_TASKS {
            let writer = Writer {
                line: Line::new(pool.clone()),
                catalog: catalog.clone(),
                wakeup: wakeup.clone(),
                topology,
                receiver: receiver.clone(),
            };
            tokio::spawn(writer.run());
        }
        Self { sender }
    }

    pub(super) async fn enqueue(&self, run: NewRun) -> Result<Enqueued, StoreError> {
        let gone = || StoreError::database("enqueue a run")(sqlx::Error::WorkerCrashed);
        let (reply, outcome) = oneshot::channel();
        self.sender.send((run, reply)).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

/// Who wants a run.
struct Waiting {
    reply: Reply,
    /// Requests with the same key. The database takes no two rows with one key in a statement, and the first one's
    /// outcome is theirs.
    repeated: Vec<(NewRun, Reply)>,
}

struct Writer {
    line: Line,
    catalog: Catalog,
    wakeup: Wakeup,
    topology: Topology,
    receiver: Arc<Mutex<mpsc::Receiver<(NewRun, Reply)>>>,
}

impl Writer {
    async fn run(self) {
        let mut again: Vec<(NewRun, Reply)> = Vec::new();
        loop {
            let mut batch = std::mem::take(&mut again);
            if batch.is_empty() && self.receiver.lock().await.recv_many(&mut batch, ENQUEUE_CAP).await == 0 {
                return;
            }
            let parts = self.topology.parts(batch, |(run, _)| run.id.bucket());
            let written = stream::iter(parts.into_iter().map(grouped))
                .map(|(runs, waiting)| self.write(runs, waiting))
                .buffer_unordered(PARTS_AT_ONCE);
            again = written.concat().await;
        }
    }

    /// Writes a batch; if that fails as a whole, run by run, so that one bad run harms no other. Returns the repeated
    /// requests that its outcome does not answer.
    async fn write(&self, runs: Vec<NewRun>, waiting: Vec<Waiting>) -> Vec<(NewRun, Reply)> {
        match self.attempt(&runs).await {
            Ok(outcomes) => {
                self.wakeup.ready(self.line.pool(), runs.iter().filter(|run| run.start_at.is_none()).count());
                let answers = runs.iter().zip(waiting).zip(outcomes);
                answers.flat_map(|((run, waiting), outcome)| waiting.answer(run, Ok(outcome))).collect()
            }
            Err(error) => {
                report(&error, runs.len());
                Box::pin(self.isolate(&runs, waiting)).await
            }
        }
    }

    async fn isolate(&self, runs: &[NewRun], waiting: Vec<Waiting>) -> Vec<(NewRun, Reply)> {
        let mut again = Vec::new();
        let mut gone = false;
        for (run, waiting) in runs.iter().zip(waiting) {
            // Once the database is known to be away, nobody waits for it again.
            let outcome =
                if gone { Err(unreached()) } else { in_time(Box::pin(self.write_alone(run))).await };
            gone = gone || matches!(&outcome, Err(error) if error.is_transient());
            again.extend(waiting.answer(run, outcome));
        }
        again
    }

    /// Writes one run after a failure whose answer may have been lost: if the run is there, it was written.
    async fn write_alone(&self, run: &NewRun) -> Result<Enqueued, StoreError> {
        let mut connection = self.line.loan().await?;
        let written = control::header(&mut connection, run.id, false).await?.is_some();
        self.line.keep(connection).await?;
        let outcome = if written {
            Enqueued::Created(run.id)
        } else {
            let outcomes = self.attempt(std::slice::from_ref(run)).await?;
            let lost = || StoreError::database("enqueue a run")(sqlx::Error::RowNotFound);
            outcomes.into_iter().next().ok_or_else(lost)?
        };
        self.wakeup.ready(self.line.pool(), 1);
        Ok(outcome)
    }

    async fn attempt(&self, runs: &[NewRun]) -> Result<Vec<Enqueued>, StoreError> {
        in_time(async {
            let mut connection = self.line.loan().await?;
            let outcomes = self.write_on(&mut connection, runs).await?;
            self.line.keep(connection).await?;
            Ok(outcomes)
        })
        .await
    }

    async fn write_on(
        &self,
        connection: &mut PgConnection,
        runs: &[NewRun],
    ) -> Result<Vec<Enqueued>, StoreError> {
        let projected = runs.iter().any(|run| {
            self.catalog.get(&run.definition).is_some_and(|definition| definition.projection.is_some())
        });
        if !projected {
            return enqueue::enqueue(connection, runs).await;
        }
        let mut transaction = connection.begin().await.map_err(StoreError::database("begin to enqueue"))?;
        let outcomes = write(&mut transaction, &self.catalog, runs).await?;
        transaction.commit().await.map_err(StoreError::database("commit what was enqueued"))?;
        Ok(outcomes)
    }
}

impl Waiting {
    /// Answers everybody the outcome answers. Returns the others, who have to ask for themselves.
    fn answer(self, first: &NewRun, outcome: Result<Enqueued, StoreError>) -> Vec<(NewRun, Reply)> {
        let mut others = Vec::new();
        for (run, reply) in self.repeated {
            let own = match &outcome {
                Ok(outcome) => outcome.of_repetition(first.guard.as_ref(), run.guard.as_ref()),
                Err(_) => None,
            };
            match own {
                Some(own) => answer(reply, Ok(own)),
                None if matches!(&outcome, Err(error) if error.is_transient()) => {
                    answer(reply, Err(unreached()));
                }
                None => others.push((run, reply)),
            }
        }
        answer(self.reply, outcome);
        others
    }
}

/// Brings requests with the same key together, in the order in which they came: the runs to write, and who waits for
/// each.
fn grouped(batch: Vec<(NewRun, Reply)>) -> (Vec<NewRun>, Vec<Waiting>) {
    let (mut runs, mut waiting) =
        (Vec::with_capacity(batch.len()), Vec::<Waiting>::with_capacity(batch.len()));
    let mut first: HashMap<[u8; 32], usize> = HashMap::new();
    for (run, reply) in batch {
        if let Some(guard) = &run.guard {
            match first.entry(*guard.key_hash.as_bytes()) {
                Entry::Occupied(position) => {
                    waiting[*position.get()].repeated.push((run, reply));
                    continue;
                }
                Entry::Vacant(free) => drop(free.insert(runs.len())),
            }
        }
        runs.push(run);
        waiting.push(Waiting { reply, repeated: Vec::new() });
    }
    (runs, waiting)
}

async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
    answer.unwrap_or_else(|_| Err(StoreError::unanswered("enqueue a run")))
}

fn report(error: &StoreError, runs: usize) {
    tracing::warn!(error = error as &dyn std::error::Error, runs, "a batch was not enqueued");
}

fn unreached() -> StoreError {
    StoreError::database("enqueue a run")(sqlx::Error::PoolTimedOut)
}

fn answer(reply: Reply, outcome: Result<Enqueued, StoreError>) {
    // Whoever asked may have gone away; the run is durable all the same.
    drop(reply.send(outcome));
}

/// Writes runs and their projections on the caller's connection.
pub(super) async fn write(
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
