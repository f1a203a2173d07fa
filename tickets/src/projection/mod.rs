//! Keeps the read models `tickets` and `approvals` up to date, in the transactions that write the log.
//!
//! What an event changes is decided by pure functions (`patch`, `request`); `write` carries the outcome out for
//! many tickets in few statements, `verify` folds whole logs with the same functions and compares.

mod apply;
mod outputs;
mod patch;
mod request;
mod verify;
mod write;

use crate::observe;
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use sqlx::PgConnection;
use std::ops::Range;
use ticketflow_engine::{Change, Projection, RunId, event::EventRecord};
use uuid::Uuid;

/// The projection of the ticket workflows.
#[derive(Debug, Clone, Copy, Default)]
pub struct TicketProjection;

impl Projection for TicketProjection {
    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        changes: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        write::apply(connection, changes).boxed()
    }

    fn committed(&self, changes: &[Change<'_>]) {
        observe::outcomes(changes);
    }

    fn verify<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        logs: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<Vec<String>, sqlx::Error>> {
        verify::verify(connection, logs).boxed()
    }

    fn forget<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        bucket: i16,
        ids: &'a Range<Uuid>,
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        write::forget(connection, bucket, ids).boxed()
    }
}

/// What the steps of a ticket found, by its log: none until there is something.
pub(crate) fn result_of(run: RunId, events: &[EventRecord]) -> Option<Value> {
    verify::folded(&Change { run, events }).and_then(|row| row.result)
}

#[cfg(test)]
mod tests;
