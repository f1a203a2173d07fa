//! Work around every call of every step, whichever it is: tracing, limits towards the outside, faults in a test.
//!
//! It is part of the attempt: it counts towards the step's time-out, its panic is the step's panic, and its error is
//! the attempt's. It cannot make up an output, for only a step knows what its checkpoint looks like.

use crate::{
    Catalog,
    history::History,
    id::StepName,
    step::{StepContext, StepError},
    workflow::{ErasedOutcome, ErasedStep},
};
use futures::future::{BoxFuture, FutureExt};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Something that is done around every call of a step.
pub trait Around: Send + Sync + 'static {
    /// Makes the call, with what is to be done before and after it, or fails the attempt in its place.
    fn call<'a>(
        &'a self,
        context: &'a StepContext,
        call: Call<'a>,
    ) -> BoxFuture<'a, Result<Answer, StepError>>;
}

/// A call of a step that has not been made yet.
pub struct Call<'a> {
    body: &'a dyn ErasedStep,
    context: &'a StepContext,
    history: &'a History,
}

/// What a step answered.
pub struct Answer(ErasedOutcome);

impl Call<'_> {
    /// The step that is called.
    pub const fn step(&self) -> &StepName {
        &self.context.step
    }

    /// Makes the call.
    ///
    /// # Errors
    /// If the step's attempt failed.
    pub async fn make(self) -> Result<Answer, StepError> {
        self.body.run(self.context, self.history).await.map(Answer)
    }
}

/// A step with something around it.
struct Surrounded {
    body: Arc<dyn ErasedStep>,
    around: Arc<dyn Around>,
}

impl ErasedStep for Surrounded {
    fn run<'a>(
        &'a self,
        context: &'a StepContext,
        history: &'a History,
    ) -> BoxFuture<'a, Result<ErasedOutcome, StepError>> {
        let call = Call { body: &*self.body, context, history };
        self.around.call(context, call).map(|answer| answer.map(|Answer(outcome)| outcome)).boxed()
    }

    fn check_output(&self, json: &RawValue) -> Result<(), serde_json::Error> {
        self.body.check_output(json)
    }
}

impl Catalog {
    /// Does something around every call of every step; what is added last is the outermost. A catalog is configured
    /// before it is shared: a definition that has another owner already stays as it is.
    #[must_use]
    pub fn around(mut self, around: impl Around) -> Self {
        let around: Arc<dyn Around> = Arc::new(around);
        for definition in self.definitions.values_mut().filter_map(Arc::get_mut) {
            for step in &mut definition.steps {
                let (body, around) = (step.body.clone(), around.clone());
                step.body = Arc::new(Surrounded { body, around });
            }
        }
        self
    }
}
