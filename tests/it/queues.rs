//! What is claimed from queues that are paused or limited, and of keys with a limit.

use crate::{
    order::enqueue_urgent,
    support::{
        Act, Gate, Script, TestEngine,
        greenhouse::{Order, at_once, greenhouse},
        seconds,
    },
};
use std::time::Duration;
use ticketflow_engine::{
    Catalog,
    client::EnqueueRequest,
    status::RunStatus,
    store::limit::{self, QueueSettings},
};

async fn set_queue(engine: &TestEngine, max_leased: Option<i32>, paused: bool) {
    let settings = QueueSettings { name: "default".to_owned(), max_leased, paused };
    limit::set_queue(&mut *engine.connection().await, &settings).await.unwrap();
}

async fn slots_in_use(engine: &TestEngine) -> i64 {
    sqlx::query_scalar(
        "SELECT (SELECT coalesce(sum(leased), 0) FROM queues) + (SELECT coalesce(sum(leased), 0) FROM concurrency_keys)",
    )
    .fetch_one(&engine.pool)
    .await
    .unwrap()
}

fn one_per_bed(script: &Script) -> Catalog {
    let definition = greenhouse(1, script, at_once()).at_most_per_key(1, |order| Some(order.bed.clone()));
    Catalog::new([definition.build().unwrap()]).unwrap()
}

fn one_per_bed_but_free(script: &Script) -> Catalog {
    let key = |order: &Order| (order.bed != "free").then(|| order.bed.clone());
    let definition = greenhouse(1, script, at_once()).at_most_per_key(1, key);
    Catalog::new([definition.build().unwrap()]).unwrap()
}

/// Only some orders have a key; none of either kind waits for all of the other.
#[tokio::test(flavor = "multi_thread")]
async fn runs_with_and_without_a_key_are_claimed_in_one_order() {
    let engine = TestEngine::builder().catalog(one_per_bed_but_free).start().await;
    let mut expected = Vec::new();
    for (priority, bed) in [(4, "free"), (1, "north"), (3, "south"), (2, "free")] {
        expected.push((priority, enqueue_urgent(&engine, bed, priority, None).await));
    }
    expected.sort_by_key(|(priority, _)| *priority);
    let worker = engine.hand("gardener").await;
    for (_, run) in expected {
        assert_eq!(worker.claim_one().await.id, run);
    }
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_hands_out_nothing_until_it_is_resumed() {
    let mut engine = TestEngine::builder().start().await;
    set_queue(&engine, None, true).await;
    let runs = engine.enqueue_many(5).await;
    assert!(engine.hand("by hand").await.claim(5).await.is_empty());
    engine.add_worker().await;
    set_queue(&engine, None, false).await;
    engine.drain().await;
    assert_eq!(engine.status(runs[0]).await, RunStatus::Completed);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_queues_limit_is_never_exceeded_and_everything_completes() {
    let mut engine = TestEngine::builder().start().await;
    set_queue(&engine, Some(3), false).await;
    engine.enqueue_many(60).await;
    engine.script.set(|call| match (call.step, call.number) {
        ("water", 1) => Act::Retry,
        ("plan", 1) => Act::Sleep(Duration::from_millis(2)),
        _ => Act::Work,
    });
    for _ in 0..3 {
        engine.add_worker().await;
    }
    engine.drain().await;
    let (_, _, most) = engine.script.most_at_once();
    assert!((1..=3).contains(&most), "{most} at once");
    assert_eq!(slots_in_use(&engine).await, 0);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_keys_limit_is_never_exceeded_and_everything_completes() {
    let mut engine = TestEngine::builder()
        .catalog(one_per_bed)
        .options(|options| options.lease = Duration::from_millis(1_500))
        .start()
        .await;
    for number in 0..60 {
        engine.enqueue_in_bed(["north", "south", "east"][number % 3]).await;
    }
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| match (call.step, call.number) {
        ("measure", 1) => Act::Pass(at.clone()),
        ("water", 1) => Act::Retry,
        ("plan", 1) => Act::Sleep(Duration::from_millis(2)),
        _ => Act::Work,
    });
    for _ in 0..3 {
        engine.add_worker().await;
    }
    // One run of each bed stands at the gate: beds do not wait for each other.
    gate.reached_by(3).await;
    gate.open();
    engine.drain().await;
    let (_, most_per_bed, _) = engine.script.most_at_once();
    assert_eq!(most_per_bed, 1);
    assert_eq!(slots_in_use(&engine).await, 0);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_limits_hold_together() {
    let mut engine = TestEngine::builder()
        .catalog(one_per_bed)
        .options(|options| options.lease = Duration::from_millis(1_500))
        .start()
        .await;
    set_queue(&engine, Some(2), false).await;
    for number in 0..40 {
        engine.enqueue_in_bed(["north", "south", "east", "west"][number % 4]).await;
    }
    for _ in 0..2 {
        engine.add_worker().await;
    }
    engine.drain().await;
    let (_, most_per_bed, most) = engine.script.most_at_once();
    assert!(most_per_bed == 1 && most <= 2, "{most_per_bed} per bed, {most} in all");
    assert_eq!(slots_in_use(&engine).await, 0);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_of_a_dead_worker_and_of_a_cancelled_run_are_given_back() {
    let engine = TestEngine::builder().catalog(one_per_bed).start().await;
    let runs = [engine.enqueue_in_bed("north").await, engine.enqueue_in_bed("north").await];
    let dead = engine.hand("dead").await;
    assert_eq!(dead.claim(10).await.len(), 1);
    assert_eq!(slots_in_use(&engine).await, 1);
    assert_eq!(engine.reap_everything().await, 1);
    assert_eq!(slots_in_use(&engine).await, 0);
    let second = engine.hand("second").await;
    let held = second.claim(10).await;
    assert_eq!(held.len(), 1);
    engine.client.cancel(held[0].id, &TestEngine::operator(), "frost").await.unwrap();
    assert_eq!(slots_in_use(&engine).await, 0);
    let other = runs.into_iter().find(|run| *run != held[0].id).unwrap();
    assert_eq!(second.work().await.0, other);
    engine.finish().await;
}

/// Runs of a full key are set aside, so that they do not stand in the way of others; a worker that met only such runs
/// looks again at once, whatever its poll.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_a_full_key_does_not_hold_up_other_keys() {
    let mut engine = TestEngine::builder()
        .catalog(one_per_bed)
        .notify(false)
        .options(|options| (options.capacity, options.poll) = (2, seconds(3_600)))
        .start()
        .await;
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| if call.number == 1 { Act::Pass(at.clone()) } else { Act::Work });
    for _ in 0..300 {
        engine.enqueue_in_bed("north").await;
    }
    let south = engine.enqueue_in_bed("south").await;
    engine.add_worker().await;
    // One of each bed stands at its first step.
    gate.reached_by(2).await;
    assert_eq!(engine.script.calls_of(south, "measure").len(), 1, "south waits for north's backlog");
    engine.script.set(|_| Act::Work);
    gate.open();
    engine.drain().await;
    let (_, most_per_bed, _) = engine.script.most_at_once();
    assert_eq!(most_per_bed, 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_with_a_key_are_served_when_the_rule_is_gone() {
    let engine = TestEngine::builder().start().await;
    let client = engine.client_of(one_per_bed(&engine.script));
    for _ in 0..5 {
        client.enqueue(TestEngine::request("north")).await.unwrap();
    }
    assert_eq!(engine.hand("of today").await.claim(10).await.len(), 5);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_of_keys_that_nobody_uses_are_swept_and_made_anew() {
    let engine = TestEngine::builder().catalog(one_per_bed).start().await;
    engine.enqueue_in_bed("north").await;
    let sweep = async || limit::sweep_keys(&mut *engine.connection().await).await.unwrap();
    assert_eq!(sweep().await, 0, "a live run has it");
    let worker = engine.hand("gardener").await;
    worker.work().await;
    assert_eq!(sweep().await, 1);
    for _ in 0..2 {
        engine.enqueue_in_bed("north").await;
    }
    assert_eq!(worker.claim(2).await.len(), 1, "the limit holds again");
    engine.finish().await;
}

/// The same for runs of a full key whose sleep is over.
#[tokio::test(flavor = "multi_thread")]
async fn due_sleepers_of_a_full_key_do_not_hold_up_other_keys() {
    let engine = TestEngine::builder().catalog(one_per_bed).start().await;
    let soon = Some(engine.clock.now() + chrono::TimeDelta::seconds(60));
    for _ in 0..10 {
        let request = EnqueueRequest { start_at: soon, ..TestEngine::request("north") };
        engine.client.enqueue(request).await.unwrap();
    }
    let south = engine.enqueue_in_bed("south").await;
    let worker = engine.hand("gardener").await;
    engine.advance_clock(seconds(61)).await;
    let mut claimed = Vec::new();
    for _ in 0..10 {
        claimed.extend(worker.claim(2).await);
    }
    assert!(claimed.iter().any(|lease| lease.id == south), "south waits for north's sleepers");
    assert_eq!(claimed.len(), 2);
    while let Some(lease) = claimed.pop() {
        worker.advance(lease).await;
        claimed.extend(worker.claim(2).await);
    }
    engine.drain().await;
    assert_eq!(slots_in_use(&engine).await, 0);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keys_limit_holds_for_runs_that_are_resumed_after_its_counter_was_swept() {
    let engine = TestEngine::builder().catalog(one_per_bed).start().await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = engine.enqueue_in_bed("north").await;
        engine.client.cancel(run, &TestEngine::operator(), "frost").await.unwrap();
        runs.push(run);
    }
    assert_eq!(limit::sweep_keys(&mut *engine.connection().await).await.unwrap(), 1);
    for run in runs {
        engine.resume(run, None).await;
    }
    assert_eq!(engine.hand("gardener").await.claim(10).await.len(), 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_comes_and_goes_while_runs_are_held_leaves_the_counters_right() {
    let engine = TestEngine::builder().start().await;
    let runs = engine.enqueue_many(4).await;
    let worker = engine.hand("gardener").await;
    let unlimited = worker.claim(1).await;
    set_queue(&engine, Some(1), false).await;
    assert!(
        worker.claim(1).await.is_empty(),
        "a claim that knows of no limit gets nothing from a limited queue"
    );
    let limited = worker.claim_limited(5).await;
    assert_eq!(limited.len(), 1);
    set_queue(&engine, None, false).await;
    for lease in unlimited.into_iter().chain(limited).chain(worker.claim(5).await) {
        worker.advance(lease).await;
    }
    for run in runs {
        assert_eq!(engine.status(run).await, RunStatus::Completed);
    }
    assert_eq!(slots_in_use(&engine).await, 0);
    engine.finish().await;
}
