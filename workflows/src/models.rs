//! What can be set about models, for whoever reads the configuration.

pub use secrecy::SecretString;
pub use ticketflow_steps::{
    observe::describe as describe_metrics,
    provider::model::{Format, ModelPrice, ModelSettings, PriceTable, ProviderSettings, StepModelSettings},
};
