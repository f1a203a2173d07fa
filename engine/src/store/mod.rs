//! All SQL on the engine's tables, one module per operation of the protocol.
//!
//! Functions take a connection; whoever calls them owns the transaction. Locks are taken in one order everywhere: a
//! queue's row (claim only, before the runs), runs by (bucket, id), then limits (queues, keys) by name.
//! A claim and a reap skip locked runs, so they never wait for one.
//!
//! On Citus a statement that locks or writes runs names one bucket, and a transaction keeps to it: what else is read
//! over all shards stands in a list with its reason, and a test reads every statement.

pub mod advance;
pub(crate) mod bucket;
pub mod claim;
pub mod control;
pub mod distribution;
pub mod enqueue;
pub mod event;
pub mod lease;
pub mod limit;
pub(crate) mod retention;
pub mod schedule;
pub mod schema;
pub mod signal;
pub mod stats;
