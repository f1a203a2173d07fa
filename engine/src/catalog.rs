//! Every workflow a process knows, by name and version.

use crate::{error::DefinitionError, id::DefinitionId, retry::StepPolicy, workflow::Definition};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The definitions a process can enqueue and run.
#[derive(Default, Clone)]
pub struct Catalog {
    pub(crate) definitions: BTreeMap<DefinitionId, Arc<Definition>>,
}

impl Catalog {
    /// A catalog of these definitions.
    ///
    /// # Errors
    /// If two share a name and version.
    pub fn new(definitions: impl IntoIterator<Item = Definition>) -> Result<Self, DefinitionError> {
        let mut catalog = Self::default();
        for definition in definitions {
            let id = definition.id.clone();
            if catalog.definitions.insert(id.clone(), Arc::new(definition)).is_some() {
                return Err(DefinitionError::DuplicateDefinition(id));
            }
        }
        Ok(catalog)
    }

    /// The definition a run is pinned to.
    pub fn get(&self, id: &DefinitionId) -> Option<&Arc<Definition>> {
        self.definitions.get(id)
    }

    /// The newest version of a workflow: what new runs get.
    pub fn latest(&self, workflow: &str) -> Option<&Arc<Definition>> {
        self.definitions.values().rfind(|definition| &*definition.id.workflow == workflow)
    }

    /// Every definition, by name and version.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.definitions.values()
    }

    /// Every definition as `workflow@version`: what a worker says it can run.
    pub fn advertised(&self) -> Vec<String> {
        self.definitions.keys().map(ToString::to_string).collect()
    }

    /// The queues its definitions use, without repetition.
    pub fn queues(&self) -> Vec<Arc<str>> {
        let mut queues: Vec<_> = self.iter().map(|definition| definition.queue.clone()).collect();
        queues.sort();
        queues.dedup();
        queues
    }

    /// Those of [`Self::advertised`] that limit their runs per key.
    pub fn keyed(&self) -> Vec<String> {
        let keyed = self.iter().filter(|definition| definition.concurrency.is_some());
        keyed.map(|definition| definition.id.to_string()).collect()
    }

    /// The longest time any step may take.
    pub fn longest_timeout(&self) -> Duration {
        self.iter()
            .flat_map(|definition| &definition.steps)
            .map(|step| step.policy.timeout())
            .max()
            .unwrap_or_default()
    }

    /// Changes a step's policy, in every version of the workflow that has the step.
    ///
    /// # Errors
    /// If no version has it.
    pub fn override_policy(
        &mut self,
        workflow: &str,
        step: &str,
        change: impl Fn(&mut StepPolicy),
    ) -> Result<(), DefinitionError> {
        let mut found = false;
        for definition in self.definitions.values_mut().filter(|d| &*d.id.workflow == workflow) {
            // A catalog is configured before it is shared, so the definition has no other owner yet.
            let Some(definition) = Arc::get_mut(definition) else {
                continue;
            };
            for step in definition.steps.iter_mut().filter(|s| s.name.as_str() == step) {
                change(&mut step.policy);
                found = true;
            }
        }
        if found {
            return Ok(());
        }
        Err(DefinitionError::UnknownOverride { workflow: workflow.to_owned(), step: step.to_owned() })
    }
}
