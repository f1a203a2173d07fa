//! The benchmark's workflow: six steps that do nothing and return about 300 bytes each.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use ticketflow_engine::{
    Actor, Catalog, Definition, DefinitionError, RunId, Step, StepContext, StepError, StepOutcome,
    client::EnqueueRequest, output,
};
use tokio::sync::Notify;

pub(super) const WORKFLOW: &str = "bench";

/// What every step returns: about 300 bytes as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Padding {
    step: String,
    ok: bool,
    text: String,
}

impl Padding {
    fn of(step: &str) -> Self {
        Self { step: step.to_owned(), ok: true, text: "x".repeat(260) }
    }
}

/// What the steps note of how far the runs are, so that the benchmark need not ask the database before it is worth it.
/// Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    begun: Mutex<Option<(RunId, Instant)>>,
    last_steps: AtomicUsize,
    last_step: Notify,
}

impl Progress {
    fn begin(&self, run: RunId) {
        *self.0.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some((run, Instant::now()));
    }

    fn end(&self) {
        self.0.last_steps.fetch_add(1, Ordering::Relaxed);
        self.0.last_step.notify_one();
    }

    /// Notes last steps that another process ran.
    pub(super) fn ended_elsewhere(&self, count: usize) {
        self.0.last_steps.fetch_add(count, Ordering::Relaxed);
        self.0.last_step.notify_one();
    }

    /// When `run` began, if no other began since.
    pub(super) fn begun(&self, run: RunId) -> Option<Instant> {
        let last = *self.0.begun.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(begun, _)| *begun == run).map(|(_, at)| at)
    }

    /// How often a last step was run.
    pub(super) fn last_steps(&self) -> usize {
        self.0.last_steps.load(Ordering::Relaxed)
    }

    /// Completes once `count` last steps were run.
    pub(super) async fn reached(&self, count: usize) {
        while self.last_steps() < count {
            self.0.last_step.notified().await;
        }
    }
}

/// The first step notes when it begins.
struct One(Progress);

impl Step for One {
    const NAME: &'static str = "one";
    type Input = ();
    type Output = Padding;

    async fn run(&self, context: &StepContext, (): ()) -> Result<StepOutcome<Padding>, StepError> {
        self.0.begin(context.run_id());
        Ok(StepOutcome::Next(Padding::of(Self::NAME)))
    }
}

macro_rules! no_op_steps {
    ($($name:ident $text:literal),+) => {
        $(struct $name;

        impl Step for $name {
            const NAME: &'static str = $text;
            type Input = ();
            type Output = Padding;

            async fn run(&self, _: &StepContext, (): ()) -> Result<StepOutcome<Padding>, StepError> {
                Ok(StepOutcome::Next(Padding::of($text)))
            }
        })+
    };
}
no_op_steps!(Two "two", Three "three", Four "four", Five "five");

/// The last step reads an earlier output, as steps do, and notes that it was run.
struct Six(Progress);

impl Step for Six {
    const NAME: &'static str = "six";
    type Input = Padding;
    type Output = Padding;

    async fn run(&self, _: &StepContext, input: Padding) -> Result<StepOutcome<Padding>, StepError> {
        self.0.end();
        Ok(StepOutcome::Next(input))
    }
}

pub(super) fn catalog(progress: &Progress) -> Result<Catalog, DefinitionError> {
    let definition = Definition::builder::<serde_json::Value>(WORKFLOW, 1)
        .step(One(progress.clone()), ())
        .step(Two, ())
        .step(Three, ())
        .step(Four, ())
        .step(Five, ())
        .step(Six(progress.clone()), output::<Five>())
        .build()?;
    Catalog::new([definition])
}

pub(super) fn request(number: usize) -> anyhow::Result<EnqueueRequest> {
    let input = RawValue::from_string(format!("{{\"number\":{number}}}"))?;
    Ok(EnqueueRequest::new(WORKFLOW, input, Actor::new("bench")))
}
