//! Who does the thinking for a step.

pub mod offline;
