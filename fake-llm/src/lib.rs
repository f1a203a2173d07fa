//! A model server for tests and demonstrations, speaking the `OpenAI` Chat Completions and Embeddings protocols.
//!
//! It understands nothing: it reads the JSON schema of a request and fills it from the request's own words, the same
//! for the same request. On demand it misbehaves in every [`Mode`] that real servers were seen in. Three ways to ask for
//! a mode: the name of the model (`fake-hang`), the next answers in turn ([`FakeModel::next`]), and chances in percent
//! ([`Behaviour::mix`]).
//!
//! It must not be mistaken for a model: nothing it answers says anything about quality.

mod answer;
mod behaviour;
mod chat;
mod embed;
mod ledger;
mod mode;
mod respond;
mod server;
mod strict;
mod wire;

pub use answer::{INVENTED_ID, INVENTED_LINK};
pub use behaviour::{Behaviour, BehaviourError, Latency};
pub use ledger::{Seen, Tally};
pub use mode::{Mode, UnknownMode};
pub use server::{FakeModel, FakeModelError};
