//! A network that swallows what is sent: no error, no answer. A worker waits no longer than its lease is sure to hold.

use crate::support::{Act, Gate, TestEngine, database, proxy::Proxy, topology, until};
use std::{sync::Arc, time::Duration};
use ticketflow_engine::{Client, RunId, executor::Ended, status::RunStatus, wakeup::Wakeup};

const LEASE: Duration = Duration::from_secs(3);

/// A run that a worker behind the proxy holds at `water`.
async fn held_at_water(engine: &mut TestEngine, proxy: &Proxy) -> (RunId, Arc<Gate>) {
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| if call.step == "water" { Act::Pass(at.clone()) } else { Act::Work });
    let run = engine.enqueue().await;
    engine.add_worker_at(&proxy.url(&engine.url())).await;
    gate.reached().await;
    (run, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_not_answered_ends_with_the_lease() {
    let engine = TestEngine::builder().start().await;
    let proxy = Proxy::before(&engine.url()).await;
    engine.enqueue().await;
    let worker = engine.hand_on("gardener", database::connect(&proxy.url(&engine.url())).await).await;
    let lease = worker.claim_one().await;
    let swallowed = proxy.hold("step_completed");
    let task = worker.spawn(lease);
    swallowed.reached().await;
    worker.fence.close();
    let ended = tokio::time::timeout(Duration::from_secs(10), task).await.expect("it waits for an answer");
    assert_eq!(ended.unwrap(), Ended::Fenced);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_one_connection_swallows_is_written_on_another() {
    let mut engine = TestEngine::builder().options(|options| options.lease = LEASE).start().await;
    let proxy = Proxy::before(&engine.url()).await;
    let (run, gate) = held_at_water(&mut engine, &proxy).await;
    let swallowed = proxy.hold("step_completed");
    gate.open();
    swallowed.reached().await;
    engine.ends(run, RunStatus::Completed).await;
    assert!(!engine.kinds(run).await.contains(&"lease_expired"), "the worker kept its lease");
    assert_eq!(engine.script.calls_of(run, "water").len(), 1, "nothing was done again");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_run_that_one_connection_swallows_is_written_on_another() {
    let engine = TestEngine::builder().start().await;
    let proxy = Proxy::before(&engine.url()).await;
    let pool = database::connect(&proxy.url(&engine.url())).await;
    let client =
        Client::on(topology(), pool, engine.catalog.clone(), engine.clock.clone(), Wakeup::new(false));
    let swallowed = proxy.hold("INSERT INTO live_runs");
    let enqueued = tokio::spawn(async move { client.enqueue(TestEngine::request("north")).await });
    swallowed.reached().await;
    let run = enqueued.await.unwrap().unwrap().run();
    assert_eq!(engine.kinds(run).await, ["created"]);
    engine.finish().await;
}

async fn alive(engine: &TestEngine) -> Vec<uuid::Uuid> {
    let alive = "SELECT id FROM workers WHERE expires_at > engine_now()";
    sqlx::query_scalar(alive).fetch_all(&engine.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_cut_off_in_silence_comes_back_under_a_new_id() {
    let mut engine = TestEngine::builder().options(|options| options.lease = LEASE).start().await;
    let proxy = Proxy::before(&engine.url()).await;
    let (run, gate) = held_at_water(&mut engine, &proxy).await;
    let before = alive(&engine).await;
    proxy.silence();
    gate.open();
    until("it is declared dead", || async { alive(&engine).await.is_empty() }).await;
    proxy.end_silence();
    engine.ends(run, RunStatus::Completed).await;
    let after = alive(&engine).await;
    assert!(after.len() == 1 && after != before, "{before:?}, then {after:?}");
    engine.finish().await;
}
