//! Read models that change in the same transaction as the checkpoint that changes them.

use crate::{event::EventRecord, id::RunId};
use futures::future::BoxFuture;
use sqlx::PgConnection;
use std::ops::Range;
use uuid::Uuid;

/// What was just written to the log of one run.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The run.
    pub run: RunId,
    /// Its new events, oldest first.
    pub events: &'a [EventRecord],
}

/// A read model of a workflow's runs. It must be a pure fold of the log: the same events give the same row, whoever
/// applies them and when.
pub trait Projection: Send + Sync + 'static {
    /// Brings the read model up to date with `changes`, in the transaction that wrote them. One call carries the
    /// changes of many runs, sorted by bucket and id: answer with few statements, and take locks in that order.
    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        changes: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<(), sqlx::Error>>;

    /// Hears of what workers and operators did to runs, after it has become durable: for metrics and the like. Of
    /// creations and annotations, which may be part of a caller's transaction, it does not hear, and a process that
    /// dies in between never does, so nothing may depend on it.
    fn committed(&self, _changes: &[Change<'_>]) {}

    /// Compares the read model with the fold of whole logs and describes each difference. Must not write.
    fn verify<'a>(
        &'a self,
        _connection: &'a mut PgConnection,
        _logs: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<Vec<String>, sqlx::Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Removes the rows of `bucket` whose runs have ids in this range: retention dropped them, log and all.
    fn forget<'a>(
        &'a self,
        _connection: &'a mut PgConnection,
        _bucket: i16,
        _ids: &'a Range<Uuid>,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(async { Ok(()) })
    }
}
