//! Doing things once: equal requests make one run, and a step's SQL takes effect with its checkpoint.

use crate::support::{Act, TestEngine, database, hand::HandWorker, proxy::Proxy, seconds, topology};
use chrono::TimeDelta;
use futures::future::join_all;
use std::collections::BTreeSet;
use ticketflow_engine::{
    Client,
    chain::Hash,
    client::EnqueueRequest,
    executor::Ended,
    store::enqueue::{Enqueued, Guard},
    wakeup::Wakeup,
};

fn guarded(key: &str, body: &str) -> EnqueueRequest {
    let guard = Guard {
        key_hash: Hash::of(key.as_bytes()),
        request_hash: Hash::of(body.as_bytes()),
        window: TimeDelta::hours(1),
    };
    EnqueueRequest { guard: Some(guard), ..TestEngine::request("north") }
}

async fn runs(engine: &TestEngine) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&engine.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_requests_at_the_same_moment_make_one_run() {
    let engine = TestEngine::builder().start().await;
    let clients: Vec<_> = (0..4).map(|_| engine.client_of(engine.catalog.clone())).collect();
    for round in 1..=20 {
        let key = format!("order {round}");
        let requests = (0..20).map(|number| clients[number % 4].enqueue(guarded(&key, "body")));
        let outcomes: Vec<_> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
        let created = outcomes.iter().filter(|outcome| matches!(outcome, Enqueued::Created(_))).count();
        assert_eq!(created, 1);
        let answered: BTreeSet<_> = outcomes.into_iter().map(Enqueued::run).collect();
        assert_eq!(answered.len(), 1, "everybody is told of the same run");
        assert_eq!(runs(&engine).await, round);
    }
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_another_body_is_refused() {
    let engine = TestEngine::builder().start().await;
    let first = engine.client.enqueue(guarded("order", "roses")).await.unwrap();
    let other = engine.client.enqueue(guarded("order", "tulips")).await.unwrap();
    assert_eq!(other, Enqueued::KeyReused(first.run()));
    let again = engine.client.enqueue(guarded("order", "roses")).await.unwrap();
    assert_eq!(again, Enqueued::Replayed(first.run()));
    assert_eq!(runs(&engine).await, 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_key_that_come_together_are_answered_as_if_one_by_one() {
    let engine = TestEngine::builder().start().await;
    let first = engine.client.enqueue(guarded("old order", "tulips")).await.unwrap().run();
    let bodies = ["roses", "tulips", "roses", "tulips", "tulips"];
    let both = ["old order", "new order"].into_iter().flat_map(|key| bodies.map(|body| guarded(key, body)));
    let outcomes: Vec<_> =
        engine.client.enqueue_many(both.collect()).await.into_iter().map(Result::unwrap).collect();
    let (reused, replayed) = (Enqueued::KeyReused(first), Enqueued::Replayed(first));
    assert_eq!(outcomes[..5], [reused, replayed, reused, replayed, replayed]);
    let new = outcomes[5].run();
    let (reused, replayed) = (Enqueued::KeyReused(new), Enqueued::Replayed(new));
    assert_eq!(outcomes[5..], [Enqueued::Created(new), reused, replayed, reused, reused]);
    assert_eq!(runs(&engine).await, 2);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_free_again_when_its_window_is_over() {
    let engine = TestEngine::builder().start().await;
    let first = engine.client.enqueue(guarded("order", "roses")).await.unwrap();
    engine.advance_clock(seconds(3_590)).await;
    assert_eq!(
        engine.client.enqueue(guarded("order", "roses")).await.unwrap(),
        Enqueued::Replayed(first.run())
    );
    engine.advance_clock(seconds(11)).await;
    let second = engine.client.enqueue(guarded("order", "tulips")).await.unwrap();
    assert!(matches!(second, Enqueued::Created(run) if run != first.run()));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_keys_are_swept_and_others_kept() {
    let engine = TestEngine::builder().start().await;
    engine.client.enqueue(guarded("old", "roses")).await.unwrap();
    engine.advance_clock(seconds(3_601)).await;
    engine.client.enqueue(guarded("new", "roses")).await.unwrap();
    assert_eq!(engine.sweep_idempotency().await, 1);
    assert!(matches!(engine.client.enqueue(guarded("new", "roses")).await.unwrap(), Enqueued::Replayed(_)));
    engine.finish().await;
}

/// The key was held when the run was to be written, and is gone when its run is looked up.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_acknowledged_while_its_key_expires_exists() {
    let engine = TestEngine::builder().start().await;
    let first = engine.client.enqueue(guarded("order", "roses")).await.unwrap();
    let proxy = Proxy::before(&engine.url()).await;
    let pool = database::connect(&proxy.url(&engine.url())).await;
    let client =
        Client::on(topology(), pool, engine.catalog.clone(), engine.clock.clone(), Wakeup::new(false));
    let gate = proxy.hold("FROM idempotency");
    let request = tokio::spawn(async move { client.enqueue(guarded("order", "roses")).await });
    gate.reached().await;
    engine.advance_clock(seconds(3_601)).await;
    assert_eq!(engine.sweep_idempotency().await, 1);
    gate.open();
    let second = request.await.unwrap().unwrap();
    assert!(matches!(second, Enqueued::Created(run) if run != first.run()));
    assert_eq!(engine.kinds(second.run()).await, ["created"]);
    engine.finish().await;
}

/// A step writes one row in its checkpoint's transaction: whatever happens to it, there is one row.
async fn waterings(engine: &TestEngine) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM watered").fetch_one(&engine.pool).await.unwrap()
}

async fn engine_that_waters() -> (TestEngine, HandWorker) {
    let engine = TestEngine::builder().start().await;
    sqlx::query("CREATE TABLE watered (run uuid NOT NULL)").execute(&engine.pool).await.unwrap();
    let worker = engine.hand("first").await;
    (engine, worker)
}

const WATER: Act = Act::Sql("INSERT INTO watered VALUES ($1)");

#[tokio::test(flavor = "multi_thread")]
async fn a_steps_sql_takes_effect_once_though_its_first_attempt_failed() {
    let (engine, worker) = engine_that_waters().await;
    engine.script.set(|call| match (call.step, call.number) {
        ("water", 1) => Act::Retry,
        ("water", _) => WATER,
        _ => Act::Work,
    });
    let run = engine.enqueue().await;
    worker.work().await;
    assert_eq!(waterings(&engine).await, 0);
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(waterings(&engine).await, 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steps_sql_takes_effect_once_though_its_worker_died_before_the_commit() {
    let (engine, worker) = engine_that_waters().await;
    let fence = worker.fence.clone();
    engine.script.set(move |call| match (call.step, call.number) {
        ("water", 1) => Act::LoseLease(fence.clone()),
        ("water", _) => WATER,
        _ => Act::Work,
    });
    let run = engine.enqueue().await;
    assert_eq!(worker.work().await, (run, Ended::Fenced));
    assert_eq!(waterings(&engine).await, 0);
    engine.reap_everything().await;
    assert_eq!(engine.hand("second").await.work().await, (run, Ended::Closed));
    assert_eq!(waterings(&engine).await, 1);
    engine.finish().await;
}

/// Both workers did the step; the one whose lease is gone may not water.
#[tokio::test(flavor = "multi_thread")]
async fn the_sql_of_a_worker_that_lost_its_lease_takes_no_effect() {
    let (engine, zombie) = engine_that_waters().await;
    engine.script.set(|call| if call.step == "water" { WATER } else { Act::Work });
    let run = engine.enqueue().await;
    let stale = zombie.claim_one().await;
    engine.reap_everything().await;
    assert_eq!(engine.hand("second").await.work().await, (run, Ended::Closed));
    assert_eq!(zombie.advance(stale).await, Ended::Fenced);
    assert_eq!(waterings(&engine).await, 1);
    engine.finish().await;
}
