//! One module per resource. A handler extracts, calls and maps; it holds no logic of its own.

pub(crate) mod control;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod operations;
pub(crate) mod run;
pub(crate) mod workflows;
