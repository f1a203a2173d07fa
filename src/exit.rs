//! Exit codes: part of the command line's contract.
//!
//! 0 done · 1 failed · 2 wrong usage: of the command line, a variable, the configuration file, or a value that the API
//! refused · 3 not found · 4 conflict · 5 unreachable · 6 the audit found violations

use std::{fmt, process::ExitCode};

/// Why a command failed, as far as scripts care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed,
    Usage,
    NotFound,
    Conflict,
    Unreachable,
    Violations,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Unreachable => 5,
            Self::Violations => 6,
        }
    }

    /// An error that ends the program with this code.
    pub(crate) fn with(self, message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(ExitError { exit: self, message: message.into() })
    }
}

/// A message with an exit code.
#[derive(Debug)]
struct ExitError {
    exit: Exit,
    message: String,
}

impl fmt::Display for ExitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExitError {}

/// The code a failure ends the program with.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    let exit = error.chain().find_map(|cause| cause.downcast_ref::<ExitError>()).map(|error| error.exit);
    ExitCode::from(exit.unwrap_or(Exit::Failed).code())
}
