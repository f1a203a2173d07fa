//! A workflow's definition: steps in order, how their inputs are wired, where they may jump, how they are retried.
//! Whatever does not fit together fails here, when it is built.

use crate::{
    error::{DefinitionError, StoreError},
    history::History,
    id::{DefinitionId, StepName},
    projection::Projection,
    retry::StepPolicy,
    step::{Step, StepContext, StepError, StepOutcome},
    wire::{Need, Wire},
};
use futures::future::{BoxFuture, FutureExt};
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use std::{any::TypeId, collections::BTreeSet, marker::PhantomData, sync::Arc};

/// A jump that a step may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// Where to.
    pub target: StepName,
    /// How often per run, so that a loop ends.
    pub limit: u32,
}

/// One step of a definition.
pub struct StepDefinition {
    /// Its name.
    pub name: StepName,
    /// How it is tried.
    pub policy: StepPolicy,
    /// Where it may jump.
    pub jumps: Vec<Jump>,
    pub(crate) needs: Vec<Need>,
    pub(crate) body: Arc<dyn ErasedStep>,
}

/// Most runs of one key that may be leased at once.
pub struct ConcurrencyRule {
    pub(crate) limit: i32,
    pub(crate) key: KeyOf,
}

type KeyOf = Box<dyn Fn(&RawValue) -> Option<String> + Send + Sync>;
type CheckInput = Box<dyn Fn(&RawValue) -> Result<(), serde_json::Error> + Send + Sync>;

/// A named, versioned workflow.
pub struct Definition {
    /// Name and version.
    pub id: DefinitionId,
    /// Queue its runs are claimed from.
    pub queue: Arc<str>,
    /// Default priority of its runs; lower is claimed first.
    pub priority: i16,
    /// Its steps, in order.
    pub steps: Vec<StepDefinition>,
    pub(crate) projection: Option<Arc<dyn Projection>>,
    pub(crate) concurrency: Option<ConcurrencyRule>,
    check_input: CheckInput,
}

impl Definition {
    /// Starts the definition of version `version` of `name`, whose runs take an `I`.
    pub fn builder<I: DeserializeOwned + 'static>(name: &str, version: i32) -> Builder<I> {
        let definition = Self {
            id: DefinitionId::new(name, version),
            queue: "default".into(),
            priority: 100,
            steps: Vec::new(),
            projection: None,
            concurrency: None,
            check_input: Box::new(|json| serde_json::from_str::<I>(json.get()).map(drop)),
        };
        Builder { definition, input: PhantomData }
    }

    /// The step of that name.
    pub fn step(&self, name: &StepName) -> Option<&StepDefinition> {
        self.steps.iter().find(|step| step.name == *name)
    }

    /// The step that follows in order; `None` after the last.
    pub fn following(&self, name: &StepName) -> Option<&StepName> {
        let position = self.steps.iter().position(|step| step.name == *name)?;
        self.steps.get(position + 1).map(|step| &step.name)
    }

    /// The first step.
    pub fn first_step(&self) -> &StepName {
        &self.steps[0].name
    }

    /// The names of its steps, for messages.
    pub fn step_names(&self) -> String {
        self.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Checks that `json` is an input of this workflow.
    ///
    /// # Errors
    /// Says where it is not.
    pub fn check_input(&self, json: &RawValue) -> Result<(), serde_json::Error> {
        (self.check_input)(json)
    }

    pub(crate) fn concurrency_key(&self, input: &RawValue) -> Option<(String, i32)> {
        let rule = self.concurrency.as_ref()?;
        (rule.key)(input).map(|key| (format!("{}/{key}", self.id.workflow), rule.limit))
    }

    fn validate(self, input: TypeId) -> Result<Self, DefinitionError> {
        if self.steps.is_empty() {
            return Err(DefinitionError::Empty(self.id));
        }
        let all: BTreeSet<_> = self.steps.iter().map(|step| step.name.clone()).collect();
        let mut before = BTreeSet::new();
        for step in &self.steps {
            self.validate_step(step, input, &before, &all)?;
            if !before.insert(step.name.clone()) {
                return Err(DefinitionError::DuplicateStep(self.id.clone(), step.name.clone()));
            }
        }
        Ok(self)
    }

    fn validate_step(
        &self,
        step: &StepDefinition,
        input: TypeId,
        before: &BTreeSet<StepName>,
        all: &BTreeSet<StepName>,
    ) -> Result<(), DefinitionError> {
        let missing = step.needs.iter().find_map(|need| match need {
            Need::Input(found, name) => (*found != input).then(|| StepName::new(&format!("input as {name}"))),
            Need::Output(name) => (!before.contains(name)).then(|| name.clone()),
            Need::Maybe(name) => (!all.contains(name)).then(|| name.clone()),
        });
        if let Some(missing) = missing {
            let (definition, step) = (self.id.clone(), step.name.clone());
            return Err(DefinitionError::MissingOutput { definition, step, missing });
        }
        match step.jumps.iter().find(|jump| !all.contains(&jump.target)) {
            Some(Jump { target, .. }) => Err(DefinitionError::UnknownTarget {
                definition: self.id.clone(),
                step: step.name.clone(),
                target: target.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Puts a definition together.
pub struct Builder<I> {
    definition: Definition,
    input: PhantomData<fn(I)>,
}

impl<I: DeserializeOwned + 'static> Builder<I> {
    /// Sets the queue its runs are claimed from; `default` unless set.
    #[must_use]
    pub fn queue(mut self, queue: &str) -> Self {
        self.definition.queue = queue.into();
        self
    }

    /// Sets the priority of its runs; lower is claimed first, 100 unless set.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.definition.priority = priority;
        self
    }

    /// Keeps a read model up to date in the transactions that change its runs.
    #[must_use]
    pub fn projection(mut self, projection: impl Projection) -> Self {
        self.definition.projection = Some(Arc::new(projection));
        self
    }

    /// Lets at most `limit` runs that share a key be leased at once.
    #[must_use]
    pub fn at_most_per_key(
        mut self,
        limit: u16,
        key: impl Fn(&I) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let key = move |json: &RawValue| serde_json::from_str(json.get()).ok().and_then(|input| key(&input));
        self.definition.concurrency =
            Some(ConcurrencyRule { limit: limit.max(1).into(), key: Box::new(key) });
        self
    }

    /// Adds a step with the default policy.
    #[must_use]
    pub fn step<S: Step>(self, step: S, wire: impl Wire<S::Input>) -> Self {
        self.step_with(step, wire, StepPolicy::default())
    }

    /// Adds a step.
    #[must_use]
    pub fn step_with<S: Step>(mut self, step: S, wire: impl Wire<S::Input>, policy: StepPolicy) -> Self {
        self.definition.steps.push(StepDefinition {
            name: StepName::new(S::NAME),
            policy,
            jumps: Vec::new(),
            needs: wire.needs(),
            body: Arc::new(Wired { step, wire }),
        });
        self
    }

    /// Lets the step added last jump to `target`, at most `limit` times per run.
    #[must_use]
    pub fn may_go_to(mut self, target: &str, limit: u32) -> Self {
        if let Some(step) = self.definition.steps.last_mut() {
            step.jumps.push(Jump { target: StepName::new(target), limit });
        }
        self
    }

    /// Checks that everything fits together.
    ///
    /// # Errors
    /// Names what does not.
    pub fn build(self) -> Result<Definition, DefinitionError> {
        self.definition.validate(TypeId::of::<I>())
    }
}

/// A step's answer with its output as JSON.
pub(crate) enum ErasedOutcome {
    Next(Box<RawValue>),
    GoTo(StepName, Box<RawValue>),
    Sleep(std::time::Duration),
    Wait { signal: String, timeout: Option<std::time::Duration>, about: serde_json::Value },
}

/// A step without its types: the one place where they are erased.
pub(crate) trait ErasedStep: Send + Sync {
    fn run<'a>(
        &'a self,
        context: &'a StepContext,
        history: &'a History,
    ) -> BoxFuture<'a, Result<ErasedOutcome, StepError>>;

    /// Whether `json` is an output of this step.
    fn check_output(&self, json: &RawValue) -> Result<(), serde_json::Error>;
}

struct Wired<S, W> {
    step: S,
    wire: W,
}

impl<S: Step, W: Wire<S::Input>> ErasedStep for Wired<S, W> {
    fn run<'a>(
        &'a self,
        context: &'a StepContext,
        history: &'a History,
    ) -> BoxFuture<'a, Result<ErasedOutcome, StepError>> {
        async move {
            let input = self.wire.fetch(history).map_err(|error| {
                StepError::fail("input_mismatch", format!("{error}: was it written by another version?"))
                    .caused_by(error)
            })?;
            let json = |output: &S::Output| to_raw_value(output).map_err(encode_failure);
            Ok(match self.step.run(context, input).await? {
                StepOutcome::Next(output) => ErasedOutcome::Next(json(&output)?),
                StepOutcome::GoTo(target, output) => {
                    ErasedOutcome::GoTo(StepName::new(target), json(&output)?)
                }
                StepOutcome::Sleep(duration) => ErasedOutcome::Sleep(duration),
                StepOutcome::Wait { signal, timeout, about } => {
                    ErasedOutcome::Wait { signal, timeout, about }
                }
            })
        }
        .boxed()
    }

    fn check_output(&self, json: &RawValue) -> Result<(), serde_json::Error> {
        serde_json::from_str::<S::Output>(json.get()).map(drop)
    }
}

fn encode_failure(error: serde_json::Error) -> StepError {
    StepError::fail("output_not_json", "the step's output cannot be written as JSON")
        .caused_by(StoreError::Encode(error))
}
