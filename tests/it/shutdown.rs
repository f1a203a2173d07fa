//! Stopping a worker: nothing is lost, and no attempt is charged.

use crate::support::{Act, Gate, TestEngine, until};
use std::{sync::Arc, time::Duration};
use ticketflow_engine::{
    RunId,
    status::{LiveState, RunStatus},
    store::lease,
};

/// A run held at `water` by a worker that works by itself.
async fn held_at_water(grace: Duration) -> (TestEngine, RunId, Arc<Gate>) {
    let engine = TestEngine::builder().workers(1).options(|options| options.grace = grace).start().await;
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| match (call.step, call.number) {
        ("water", 1) => Act::Pass(at.clone()),
        _ => Act::Work,
    });
    let run = engine.enqueue().await;
    gate.reached().await;
    (engine, run, gate)
}

async fn workers(engine: &TestEngine) -> Vec<String> {
    let workers = lease::list(&mut *engine.connection().await).await.unwrap();
    workers.into_iter().map(|worker| worker.state).collect()
}

/// The run was handed back at `step`; another worker's first attempt at it is number one.
async fn assert_handed_back(mut engine: TestEngine, run: RunId, step: &str) {
    engine.stop_workers().await;
    let row = engine.live(run).await;
    assert_eq!((row.state, row.step.as_str(), row.attempt, row.crashes), (LiveState::Ready, step, 0, 0));
    assert!(workers(&engine).await.is_empty(), "it took itself off the list");
    assert!(!engine.kinds(run).await.contains(&"lease_expired"));
    engine.add_worker().await;
    engine.ends(run, RunStatus::Completed).await;
    assert!(engine.script.calls_of(run, step).iter().all(|call| call.attempt == 1), "no attempt was charged");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_lets_the_running_step_finish_and_hands_the_run_back() {
    let (engine, run, gate) = held_at_water(Duration::from_secs(30)).await;
    engine.worker(0).shutdown.request();
    until("it drains", || async { workers(&engine).await == ["draining"] }).await;
    let late = engine.enqueue().await;
    gate.open();
    until("it is gone", || async { workers(&engine).await.is_empty() }).await;
    assert_eq!(engine.status(late).await, RunStatus::Live, "a draining worker takes nothing new");
    assert_eq!(engine.checkpoints(run).await.get("water"), Some(&1));
    assert_handed_back(engine, run, "inspect").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_cuts_the_running_step_off_and_hands_the_run_back() {
    let (engine, run, _gate) = held_at_water(Duration::from_secs(30)).await;
    engine.worker(0).shutdown.request();
    engine.worker(0).shutdown.request();
    assert_handed_back(engine, run, "water").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_outlasts_the_grace_period_is_cut_off() {
    let (engine, run, _gate) = held_at_water(Duration::from_millis(50)).await;
    engine.worker(0).shutdown.request();
    assert_handed_back(engine, run, "water").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_come_and_go_lose_nothing_and_charge_nothing() {
    let mut engine = TestEngine::builder().start().await;
    let runs = engine.enqueue_many(200).await;
    for _ in 0..6 {
        let before = engine.script.calls().len();
        engine.add_worker().await;
        until("it has worked a little", || async { engine.script.calls().len() > before + 30 }).await;
        engine.stop_workers().await;
    }
    engine.add_worker().await;
    engine.drain().await;
    for run in runs {
        assert_eq!(engine.status(run).await, RunStatus::Completed);
    }
    assert!(engine.script.calls().iter().all(|call| call.attempt == 1));
    assert_eq!(engine.script.calls().len(), 200 * 6, "what was finished was not done again");
    engine.finish().await;
}
