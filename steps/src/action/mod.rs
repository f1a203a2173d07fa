//! Guarded actions: what has consequences outside (money, an account, another team's work), declared in a file, proposed
//! to a person with its parameters, and done by a webhook once that person has agreed.
//!
//! Nothing here decides that an action runs: [`finalize`](crate::finalize) does, on a person's word.

mod declare;
mod evidence;
mod sign;
mod webhook;

pub use declare::{ActionError, SecretError};
pub use evidence::Evidence;
pub(crate) use webhook::{Answered, Call};

use declare::Declaration;
use std::sync::Arc;
use ticketflow_tickets::triage::ProposedAction;

/// The actions that are declared; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Actions(Option<Arc<Declared>>);

#[derive(Debug)]
struct Declared {
    actions: Vec<Declaration>,
    http: reqwest::Client,
}

/// What a ticket calls for.
#[derive(Debug, Default, PartialEq)]
pub struct Proposals {
    /// What can be done.
    pub actions: Vec<ProposedAction>,
    /// What else would be, were it known what it takes: for people.
    pub lacking: Vec<String>,
}

impl Actions {
    /// Reads a file of actions. `secret` finds the secret that goes by a name.
    ///
    /// # Errors
    /// Names the action, what is wrong with it, and what to write.
    pub fn parse(
        text: &str,
        secret: impl Fn(&str) -> Result<Option<String>, SecretError>,
    ) -> Result<Self, ActionError> {
        let actions = declare::declarations(text, secret)?;
        let http = webhook::client().map_err(ActionError::Client)?;
        Ok(Self(Some(Arc::new(Declared { actions, http }))))
    }

    /// Refuses actions that could not be signed: for processes that carry them out.
    ///
    /// # Errors
    /// Names the first action without a secret, and where that is looked for.
    pub fn check_secrets(&self) -> Result<(), ActionError> {
        match self.all().iter().find(|action| action.secret.is_none()) {
            None => Ok(()),
            Some(action) => Err(ActionError::NoSecret {
                action: action.name.clone(),
                variable: action.secret_env.clone(),
            }),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// Tries of the action that is tried most often; none if there are no actions.
    pub fn most_attempts(&self) -> Option<u32> {
        self.all().iter().map(Declaration::attempts).max()
    }

    /// What the evidence calls for.
    pub fn propose(&self, evidence: &Evidence<'_>) -> Proposals {
        let mut proposals = Proposals::default();
        for action in self.all().iter().filter(|action| evidence.calls_for(action)) {
            match evidence.parameters(action) {
                Ok(parameters) => proposals.actions.push(ProposedAction {
                    name: action.name.clone(),
                    description: action.description.clone(),
                    parameters,
                }),
                Err(missing) => {
                    proposals
                        .lacking
                        .push(format!("{} is not proposed: {missing} is not known", action.name));
                }
            }
        }
        proposals
    }

    /// Calls an action's webhook once. `None`: it is declared no longer.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Option<Answered> {
        let declared = self.0.as_ref()?;
        let action = declared.actions.iter().find(|action| action.name == call.proposal.name)?;
        Some(webhook::call(&declared.http, action, call).await)
    }

    fn all(&self) -> &[Declaration] {
        self.0.as_ref().map_or(&[], |declared| &declared.actions)
    }
}
