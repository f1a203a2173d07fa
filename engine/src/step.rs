//! The unit of work: a typed step, what it may answer, and what it is told when it is called.

use crate::{
    clock::{Clock, random_fraction},
    event::{Failure, Note},
    id::{RunId, StepName},
    retry::StepPolicy,
    transition::Arrival,
};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;
use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// A typed unit of work. It may run more than once for one checkpoint (a crash, a lost lease), so its outside effects
/// must carry [`StepContext::idempotency_key`]; its effects on the database go through
/// [`StepContext::transactionally`] and happen exactly once.
pub trait Step: Send + Sync + 'static {
    /// Name, unique in the workflow; it stands in logs and checkpoints, so it does not change.
    const NAME: &'static str;
    /// What it works on, wired from the run's input and earlier outputs.
    type Input: Send;
    /// What it makes: the checkpoint.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Does the work. Should give up soon after [`StepContext::cancelled`] fires.
    fn run(
        &self,
        context: &StepContext,
        input: Self::Input,
    ) -> impl Future<Output = Result<StepOutcome<Self::Output>, StepError>> + Send;
}

/// How a step ended that did not fail.
#[derive(Debug, Clone)]
pub enum StepOutcome<T> {
    /// Done: go on with the following step, or finish after the last.
    Next(T),
    /// Done: go on with the named step, which the definition must allow.
    GoTo(&'static str, T),
    /// Not done: call the step again after this time.
    Sleep(Duration),
    /// Not done: call the step again when the signal has come.
    Wait {
        /// Name of the signal.
        signal: String,
        /// How long to wait; `None`: for ever.
        timeout: Option<Duration>,
        /// What whoever sends it should know.
        about: serde_json::Value,
    },
}

/// What to do about a failed attempt, decided at the failing line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again, no sooner than `after`; the step's policy says how often.
    Retry {
        /// What the failing side asked for.
        after: Option<Duration>,
    },
    /// Trying again cannot help.
    Fail,
}

/// A failed attempt.
#[derive(Debug)]
pub struct StepError {
    /// What to do.
    pub decision: Decision,
    /// What the log keeps.
    pub failure: Failure,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StepError {
    /// An attempt worth repeating.
    pub fn retry(code: &str, message: impl Into<String>) -> Self {
        Self { decision: Decision::Retry { after: None }, failure: Failure::new(code, message), source: None }
    }

    /// An attempt that cannot succeed.
    pub fn fail(code: &str, message: impl Into<String>) -> Self {
        Self { decision: Decision::Fail, failure: Failure::new(code, message), source: None }
    }

    /// Sets the least time to wait, if the attempt is to be repeated.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        if let Decision::Retry { after } = &mut self.decision {
            *after = Some(delay);
        }
        self
    }

    /// Adds what else is known, kept in the log.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.failure.details = details;
        self
    }

    /// Adds the cause, for logs.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure.message)
    }
}

impl Error for StepError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// SQL that commits together with a checkpoint. Called again if the commit has to be repeated.
pub type SqlWork =
    Arc<dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> + Send + Sync>;

/// What a step is told, and what it may ask for.
pub struct StepContext {
    pub(crate) run: RunId,
    pub(crate) step: StepName,
    pub(crate) attempt: i32,
    pub(crate) is_last_attempt: bool,
    pub(crate) deadline: Instant,
    pub(crate) visit: u32,
    pub(crate) visits: BTreeMap<StepName, u32>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) arrival: Option<Arrival>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) clock: Clock,
    pub(crate) notes: Mutex<Vec<Note>>,
    pub(crate) work: Mutex<Vec<SqlWork>>,
}

impl StepContext {
    /// A context outside any run, to try a step alone: in tests and previews.
    pub fn detached(run: RunId, step: &str) -> Self {
        let clock = Clock::default();
        Self {
            run,
            step: StepName::new(step),
            attempt: 1,
            is_last_attempt: false,
            deadline: Instant::now() + StepPolicy::default().timeout(),
            visit: 1,
            visits: BTreeMap::new(),
            created_at: clock.now(),
            arrival: None,
            cancellation: CancellationToken::new(),
            clock,
            notes: Mutex::default(),
            work: Mutex::default(),
        }
    }

    /// The run.
    pub const fn run_id(&self) -> RunId {
        self.run
    }

    /// Number of this attempt, from 1; an attempt that died with its worker counts too.
    pub const fn attempt(&self) -> i32 {
        self.attempt
    }

    /// Whether the run fails if this attempt does: a step that can do its work in a lesser way does so now.
    pub const fn is_last_attempt(&self) -> bool {
        self.is_last_attempt
    }

    /// Time until the attempt is cut off.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How often `step` was completed in this run since it began, or since an operator last set it to a step.
    pub fn visits(&self, step: &str) -> u32 {
        self.visits.get(&StepName::new(step)).copied().unwrap_or(0)
    }

    /// Key for effects outside the database: the same for every attempt of this visit of the step, never used for
    /// another.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.run, self.step, self.visit)
    }

    /// When the run was created.
    pub const fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// What ended the sleep or wait that this step asked for; `None` on a first call.
    pub const fn arrival(&self) -> Option<&Arrival> {
        self.arrival.as_ref()
    }

    /// Completes when the attempt's result will no longer be wanted.
    pub async fn cancelled(&self) {
        self.cancellation.cancelled().await;
    }

    /// Now, by the database's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A random fraction in 0.0..1.0.
    pub fn random_fraction(&self) -> f64 {
        random_fraction()
    }

    /// Adds a progress note: an event that is written together with the step's outcome.
    pub fn note(&self, topic: &str, data: serde_json::Value) {
        let note = Note { topic: topic.to_owned(), data };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// Hands over SQL that commits in the same transaction as the checkpoint, and not at all without it.
    pub fn transactionally<F>(&self, work: F)
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> + Send + Sync + 'static,
    {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(work));
    }

    pub(crate) fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn take_work(&self) -> Vec<SqlWork> {
        std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
