//! What the tests are written with: a database each, a workflow whose steps do as they are told, workers that run by
//! themselves or by hand.

pub(crate) mod app;
pub(crate) mod cases;
pub(crate) mod clients;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod desk;
pub(crate) mod engine;
pub(crate) mod faults;
pub(crate) mod greenhouse;
pub(crate) mod hand;
pub(crate) mod pgbouncer;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod script;
pub(crate) mod statement;
pub(crate) mod trial;

pub(crate) use app::TestApp;
pub(crate) use engine::{TestEngine, seconds};
pub(crate) use script::{Act, Call, Gate, Script};

use std::time::Duration;
use ticketflow_engine::Topology;

/// Longest time a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Whether the engines under test go bucket by bucket: they do if `TICKETFLOW_TEST_TOPOLOGY` is `citus`.
pub(crate) fn topology() -> Topology {
    match std::env::var("TICKETFLOW_TEST_TOPOLOGY").as_deref() {
        Ok("citus") => Topology::Citus,
        Ok(_) | Err(_) => Topology::Single,
    }
}

/// Waits until `holds` says so, asking again and again; fails once patience is over.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain: {what}");
}
