//! Who does the thinking for a step: a model, if one is set, and the offline rules in its place whenever it cannot.

pub mod model;
pub mod offline;
mod openai;
