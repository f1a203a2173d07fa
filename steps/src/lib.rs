//! The triage steps and the providers behind them.

pub mod provider;
