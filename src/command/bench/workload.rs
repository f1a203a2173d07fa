//! The benchmark's workflow: six steps that do nothing and return about 300 bytes each.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ticketflow_engine::{
    Actor, Catalog, Definition, DefinitionError, Step, StepContext, StepError, StepOutcome,
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
no_op_steps!(One "one", Two "two", Three "three", Four "four", Five "five");

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

pub(super) fn catalog() -> Result<Catalog, DefinitionError> {
    let definition = Definition::builder::<serde_json::Value>(WORKFLOW, 1)
        .step(One, ())
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
