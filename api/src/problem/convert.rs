//! The one table that maps errors of the engine and of the ticket store to problems.

use super::{Code, Fault, Problem};
use ticketflow_engine::{ControlError, StoreError};
use ticketflow_tickets::ticket::FieldError;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = if error.is_transient() { Code::Unavailable } else { Code::Internal };
        Self::bare(code).caused_by(error)
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound(run) => Self::not_found("ticket", &run),
            ControlError::Conflict { run, status, advice } => {
                Self::new(Code::Conflict, format!("ticket {run} is {status}: {advice}"))
            }
            ControlError::UnknownStep { .. } => Self::new(Code::UnknownStep, error.to_string()),
            ControlError::BadValue { .. } => Self::new(Code::BadValue, error.to_string()),
            ControlError::MissingCheckpoint { .. } => Self::new(Code::MissingCheckpoint, error.to_string()),
            ControlError::UnknownDefinition(_) | ControlError::Illegal { .. } => Self::internal(error),
            ControlError::Store(error) => error.into(),
        }
    }
}

impl From<FieldError> for Fault {
    fn from(error: FieldError) -> Self {
        Self { pointer: error.pointer, code: error.code.as_str(), detail: error.detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_engine::{DefinitionId, RunId, Seq, StepName};

    fn run() -> RunId {
        RunId::from_uuid(uuid::Uuid::nil())
    }

    #[test]
    fn every_control_error_has_its_code() {
        let definition = DefinitionId::new("w", 1);
        let step = StepName::new("s");
        let transient = || StoreError::database("x")(sqlx::Error::PoolTimedOut);
        let permanent = || StoreError::database("x")(sqlx::Error::RowNotFound);
        let conflict = ControlError::Conflict { run: run(), status: "completed", advice: "fork it".into() };
        let unknown = ControlError::UnknownStep {
            definition: definition.clone(),
            step: step.clone(),
            known: "a".into(),
        };
        let missing = ControlError::MissingCheckpoint { step: step.clone(), missing: step };
        let table = [
            (ControlError::NotFound(run()), Code::NotFound),
            (conflict, Code::Conflict),
            (unknown, Code::UnknownStep),
            (ControlError::BadValue { what: "it".into(), problem: "no".into() }, Code::BadValue),
            (missing, Code::MissingCheckpoint),
            (ControlError::UnknownDefinition(definition), Code::Internal),
            (ControlError::Store(transient()), Code::Unavailable),
            (ControlError::Store(permanent()), Code::Internal),
        ];
        for (error, code) in table {
            let shown = error.to_string();
            assert_eq!(Problem::from(error).code(), code, "{shown}");
        }
    }

    #[test]
    fn internal_text_stays_inside() {
        let corrupt = StoreError::Corrupt {
            table: "secret_table",
            column: "secret_column",
            row: Seq(1).0.to_string(),
            problem: "secret".into(),
        };
        let document = super::super::Document::new(corrupt.into(), Some("id".into()));
        assert!(!serde_json::to_string(&document).unwrap().contains("secret"));
    }

    #[test]
    fn codes_are_distinct_and_their_status_is_an_error() {
        let words: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(!code.detail().is_empty() && !code.title().is_empty());
        }
    }
}
