//! The benchmark's workflow: six steps that do nothing and return about 300 bytes each.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use ticketflow_engine::{
    Actor, Catalog, Definition, DefinitionError, RunId, Step, StepContext, StepError, StepOutcome,
    client::EnqueueRequest, output,
};

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

/// When the first step of a run began, of the run that began last. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Begun(Arc<Mutex<Option<(RunId, Instant)>>>);

impl Begun {
    fn note(&self, run: RunId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((run, Instant::now()));
    }

    /// When `run` began, if no other began since.
    pub(super) fn of(&self, run: RunId) -> Option<Instant> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(begun, _)| *begun == run).map(|(_, at)| at)
    }
}

/// The first step notes when it begins.
struct One(Begun);

impl Step for One {
    const NAME: &'static str = "one";
    type Input = ();
    type Output = Padding;

    async fn run(&self, context: &StepContext, (): ()) -> Result<StepOutcome<Padding>, StepError> {
        self.0.note(context.run_id());
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

/// The last step reads an earlier output, as steps do.
struct Six;

impl Step for Six {
    const NAME: &'static str = "six";
    type Input = Padding;
    type Output = Padding;

    async fn run(&self, _: &StepContext, input: Padding) -> Result<StepOutcome<Padding>, StepError> {
        Ok(StepOutcome::Next(input))
    }
}

pub(super) fn catalog(begun: &Begun) -> Result<Catalog, DefinitionError> {
    let definition = Definition::builder::<serde_json::Value>(WORKFLOW, 1)
        .step(One(begun.clone()), ())
        .step(Two, ())
        .step(Three, ())
        .step(Four, ())
        .step(Five, ())
        .step(Six, output::<Five>())
        .build()?;
    Catalog::new([definition])
}

pub(super) fn request(number: usize) -> anyhow::Result<EnqueueRequest> {
    let input = RawValue::from_string(format!("{{\"number\":{number}}}"))?;
    Ok(EnqueueRequest::new(WORKFLOW, input, Actor::new("bench")))
}
