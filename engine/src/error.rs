//! One error type per boundary. Variants are named after what failed; a message never contains its source.

use crate::id::{DefinitionId, RunId, Seq, StepName};
use thiserror::Error;

/// An event that cannot follow on a state: a bug, or a log that was tampered with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event {event} cannot follow on a run that is {state}")]
pub struct IllegalTransition {
    /// Kind of the event.
    pub event: &'static str,
    /// Name of the state.
    pub state: &'static str,
}

/// A log whose chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainError {
    /// An event is missing, or stands twice.
    #[error("event {} is missing: found {} in its place", expected.0, found.0)]
    Gap {
        /// What should have come.
        expected: Seq,
        /// What came.
        found: Seq,
    },
    /// An event is not what its hash says.
    #[error("event {} does not match its hash", seq.0)]
    Broken {
        /// The first such event.
        seq: Seq,
    },
    /// A hash column holds something else.
    #[error("a hash has 32 bytes, this one {got}")]
    Length {
        /// Bytes found.
        got: usize,
    },
}

/// What a store operation can fail with.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database refused or was not reached.
    #[error("the database did not carry out {operation}")]
    Database {
        /// What was asked of it.
        operation: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// A stored row is not what the schema promises.
    #[error("table {table}, column {column}, row {row}: {problem}")]
    Corrupt {
        /// Table of the row.
        table: &'static str,
        /// Column at fault.
        column: &'static str,
        /// Key of the row.
        row: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An event could not be encoded.
    #[error("an event could not be encoded as JSON")]
    Encode(#[source] serde_json::Error),
}

/// Names the SQL that a step handed over: what it fails with is the step's own doing.
pub(crate) const STEP_SQL: &str = "run a step's SQL";

impl StoreError {
    /// For `map_err`: names the operation that failed.
    pub fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| {
            if is_mixed_up(&source) {
                tracing::error!(
                    "a pooler mixes up prepared statements: tell the program of it (database.pooler)"
                );
            }
            Self::Database { operation, source }
        }
    }

    /// The database, or the way to it, swallowed a question.
    pub fn unanswered(operation: &'static str) -> Self {
        Self::Database { operation, source: sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()) }
    }

    /// Whether the database refuses this very value, and would whenever it is asked. Anything else (a missing grant, a
    /// cancelled statement, a bug in a statement) says nothing about the value.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Database { .. } if self.is_of_step() => true,
            Self::Database { source: sqlx::Error::Database(error), .. } => error
                .code()
                .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class))),
            Self::Database { source, .. } => matches!(source, sqlx::Error::Encode(_)),
            Self::Corrupt { .. } | Self::Encode(_) => true,
        }
    }

    /// Whether a statement raised it that the server was at work on, though it may pass: a conflict, or something it
    /// ran out of. Raised by what a step handed over, it may as well never pass.
    pub(crate) fn is_raised(&self) -> bool {
        match self {
            Self::Database { source: sqlx::Error::Database(error), .. } => {
                // Not a server that has no connection to spare.
                let raised = |code: &str| ["40", "53", "58"].iter().any(|class| code.starts_with(class));
                error.code().is_some_and(|code| raised(&code) && code != "53300")
            }
            Self::Database { .. } | Self::Corrupt { .. } | Self::Encode(_) => false,
        }
    }

    /// Whether the SQL that a step handed over failed.
    pub(crate) fn is_of_step(&self) -> bool {
        matches!(self, Self::Database { operation, .. } if *operation == STEP_SQL)
    }

    /// Whether trying again later may help: the connection or the server went away.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_transient(source),
            Self::Corrupt { .. } | Self::Encode(_) => false,
        }
    }
}

/// Whether the database was out of reach or in the middle of a restart, rather than refusing this statement.
pub fn is_transient(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(error) = error {
        // Connection exceptions, operator intervention, insufficient resources, system errors, deadlock and
        // serialization, and a server that is a standby for the time being.
        let classes = ["08", "57P", "53", "58", "40", "25006"];
        return error.code().is_some_and(|code| classes.iter().any(|class| code.starts_with(class)));
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_)
    )
}

/// Whether statements of several clients met on one connection: a pooler in transaction mode lent it to them in turn, and
/// the pool does not know of it.
pub fn is_mixed_up(error: &sqlx::Error) -> bool {
    // The name of a prepared statement is taken already, or unknown; or the parameters are those of another.
    let sqlx::Error::Database(error) = error else { return false };
    error.code().is_some_and(|code| ["42P05", "26000"].contains(&&*code))
        || error.message().starts_with("bind message supplies")
}

/// What a request about a run can fail with.
#[derive(Debug, Error)]
pub enum ControlError {
    /// There is no such run.
    #[error("there is no run {0}")]
    NotFound(RunId),
    /// The run is in no state for it.
    #[error("run {run} is {status}: {advice}")]
    Conflict {
        /// The run.
        run: RunId,
        /// What it is.
        status: &'static str,
        /// What can be done instead.
        advice: String,
    },
    /// The workflow has no such step.
    #[error("workflow {definition} has no step {step}; it has {known}")]
    UnknownStep {
        /// The workflow.
        definition: DefinitionId,
        /// What was asked for.
        step: StepName,
        /// Its steps.
        known: String,
    },
    /// This process does not know the workflow or that version of it.
    #[error("no definition of {0} is registered here")]
    UnknownDefinition(DefinitionId),
    /// A given output or input is not what the step has.
    #[error("the value given for {what} does not fit: {problem}")]
    BadValue {
        /// Step or input.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// The step cannot be resumed from, for an earlier step has no checkpoint.
    #[error("step {step} needs the checkpoint of {missing}, which this run does not have")]
    MissingCheckpoint {
        /// What was asked for.
        step: StepName,
        /// What is missing.
        missing: StepName,
    },
    /// The log does not fold.
    #[error("the log of run {run} is not a legal history")]
    Illegal {
        /// The run.
        run: RunId,
        /// Why.
        source: IllegalTransition,
    },
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A workflow that does not fit together, found when it is built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DefinitionError {
    /// No steps.
    #[error("workflow {0} has no steps")]
    Empty(DefinitionId),
    /// Two steps share a name.
    #[error("workflow {0} has two steps named {1}")]
    DuplicateStep(DefinitionId, StepName),
    /// A step needs an output that no earlier step makes.
    #[error("step {step} of {definition} needs the output of {missing}, which does not come before it")]
    MissingOutput {
        /// The workflow.
        definition: DefinitionId,
        /// The step.
        step: StepName,
        /// What it needs.
        missing: StepName,
    },
    /// A jump leads nowhere.
    #[error("step {step} of {definition} may go to {target}, which does not exist")]
    UnknownTarget {
        /// The workflow.
        definition: DefinitionId,
        /// The step.
        step: StepName,
        /// Where it would go.
        target: StepName,
    },
    /// Two definitions share a name and version.
    #[error("{0} is registered twice")]
    DuplicateDefinition(DefinitionId),
    /// The configuration names something that does not exist.
    #[error("there is no step {step} in {workflow} to configure")]
    UnknownOverride {
        /// Workflow named.
        workflow: String,
        /// Step named.
        step: String,
    },
    /// It limits its runs per key, which cannot be done on Citus.
    #[error("{definition} limits its runs per key, and with topology = \"citus\" there are no limits")]
    LimitOnCitus {
        /// The definition, as `workflow@version`.
        definition: String,
    },
}
