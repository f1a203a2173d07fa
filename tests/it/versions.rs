//! Several versions of a workflow at once: runs stay on theirs, and processes that do not know it leave them alone.

use crate::support::{
    Script, TestEngine,
    greenhouse::{GREENHOUSE, at_once, greenhouse},
    topology,
};
use std::collections::BTreeMap;
use ticketflow_engine::{
    Catalog, ControlError, Definition, RunId, StepName,
    executor::Ended,
    input, reaper,
    status::{LiveState, RunStatus},
    store::control,
};

/// Version 1 alone, as a process knows it that was not upgraded yet.
pub(crate) fn old_version(script: &Script) -> Catalog {
    Catalog::new([greenhouse(1, script, at_once()).build().unwrap()]).unwrap()
}

/// Version 2 waters by what was measured, without a plan.
pub(crate) fn both_versions(script: &Script) -> Catalog {
    use crate::support::greenhouse::{Measure, Order, Ship, Water};
    let old = greenhouse(1, script, at_once()).build().unwrap();
    let new = Definition::builder::<Order>(GREENHOUSE, 2)
        .step(Measure(script.clone()), input::<Order>())
        .step(Water(script.clone()), ticketflow_engine::output::<Measure>())
        .step(Ship(script.clone()), ticketflow_engine::output::<Water>())
        .build()
        .unwrap();
    Catalog::new([old, new]).unwrap()
}

/// Enqueues a run of version 1 as a process would that does not know version 2 yet.
async fn enqueue_old(engine: &TestEngine) -> RunId {
    let client = engine.client_of(old_version(&engine.script));
    client.enqueue(TestEngine::request("north")).await.unwrap().run()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_stays_on_the_version_of_its_parent() {
    let engine = TestEngine::builder().catalog(both_versions).workers(1).start().await;
    let run = enqueue_old(&engine).await;
    engine.ends(run, RunStatus::Completed).await;
    let from = StepName::new("harvest");
    let fork =
        engine.client.fork(run, &TestEngine::operator(), "a test", from, BTreeMap::new()).await.unwrap();
    engine.ends(fork, RunStatus::Completed).await;
    let header = control::header(&mut *engine.connection().await, fork, false).await.unwrap().unwrap();
    assert_eq!(header.definition.version, 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_runs_get_the_newest_version_and_old_ones_keep_theirs() {
    let engine = TestEngine::builder().catalog(both_versions).workers(1).start().await;
    let (old, new) = (enqueue_old(&engine).await, engine.enqueue().await);
    engine.ends(old, RunStatus::Completed).await;
    engine.ends(new, RunStatus::Completed).await;
    assert_eq!(engine.amount(old, "ship").await, Some(124));
    assert_eq!(engine.amount(new, "ship").await, Some(31));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_an_unknown_version_is_left_to_workers_that_know_it() {
    let mut engine = TestEngine::builder().catalog(both_versions).start().await;
    let run = engine.enqueue().await;
    let both = std::mem::replace(&mut engine.catalog, old_version(&engine.script));
    assert!(engine.hand("old").await.claim(1).await.is_empty());
    engine.catalog = both;
    let stats = ticketflow_engine::store::stats::queue(&mut *engine.connection().await).await.unwrap();
    assert_eq!(stats.unclaimable, 1);
    assert_eq!(engine.hand("new").await.work().await, (run, Ended::Closed));
    engine.finish().await;
}

/// It would judge the run by other policies than its own, and leave its projection behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_run_of_an_unknown_version_is_left_to_processes_that_know_it() {
    let engine = TestEngine::builder().catalog(both_versions).start().await;
    let run = engine.enqueue().await;
    drop(engine.hand("new").await.claim_one().await);
    engine.jump(engine.options.lease + crate::support::seconds(1)).await;
    let old = old_version(&engine.script);
    let reaped =
        reaper::reap(&mut *engine.connection().await, &old, &engine.clock, topology()).await.unwrap();
    assert_eq!((reaped, engine.live(run).await.state), (0, LiveState::Leased));
    assert_eq!(engine.reap().await, 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_an_unknown_version_is_not_acted_on() {
    let engine = TestEngine::builder().catalog(both_versions).start().await;
    let run = engine.enqueue().await;
    let (old, operator) = (engine.client_of(old_version(&engine.script)), TestEngine::operator());
    for refused in [old.cancel(run, &operator, "").await, old.pause(run, &operator, "").await] {
        assert!(matches!(refused, Err(ControlError::UnknownDefinition(_))), "{refused:?}");
    }
    assert_eq!(engine.kinds(run).await, ["created"]);
    engine.finish().await;
}
