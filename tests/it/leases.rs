//! Leases: one holder at a time, taken over when it dies, refused when it comes back.

use crate::support::{Act, Gate, TestEngine, greenhouse::at_once, hand::HandWorker, seconds, until};
use futures::future::join_all;
use std::time::Duration;
use ticketflow_engine::{
    RunId, StepPolicy,
    event::Event,
    executor::Ended,
    status::{LiveState, RunStatus},
    store::lease,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_goes_on_at_the_step_it_was_at_and_the_zombie_is_refused() {
    let engine = TestEngine::builder().start().await;
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| match (call.step, call.number) {
        ("inspect", 1) => Act::Pass(at.clone()),
        _ => Act::Work,
    });
    let run = engine.enqueue().await;
    let zombie = engine.hand("zombie").await;
    let task = zombie.spawn(zombie.claim_one().await);
    gate.reached().await;
    assert_eq!(engine.reap().await, 0, "its lease still holds");
    assert_eq!(engine.reap_everything().await, 1);
    let second = engine.hand("second").await;
    let lease = second.claim_one().await;
    assert_eq!(lease.attempt, 2, "the attempt that died counts");
    // The zombie awakes while the second worker holds the run.
    gate.open();
    assert_eq!(task.await.unwrap(), Ended::Fenced);
    assert_eq!(second.advance(lease).await, Ended::Closed);
    assert_eq!(engine.script.calls_of(run, "water").len(), 1, "nothing before it was done again");
    let log = engine.log(run).await;
    let record = log.iter().find(|record| record.actor.as_str() == "reaper").unwrap();
    let Event::LeaseExpired(expired) = &record.event else { panic!("not what a reaper does: {record:?}") };
    assert_eq!((&*expired.worker, &*expired.cause, expired.crashes), ("zombie", "worker_died", 1));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_declared_dead_gets_nothing_and_cannot_renew() {
    let engine = TestEngine::builder().start().await;
    engine.enqueue().await;
    let dead = engine.hand("dead").await;
    engine.jump(seconds(31)).await;
    assert!(dead.claim(1).await.is_empty());
    let renewed = lease::heartbeat(&mut *engine.connection().await, dead.id, seconds(30)).await.unwrap();
    assert_eq!(renewed, None);
    engine.reap().await;
    assert!(lease::list(&mut *engine.connection().await).await.unwrap().is_empty());
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_keeps_the_lease() {
    let engine = TestEngine::builder().start().await;
    engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    let leased = worker.claim_one().await;
    for _ in 0..5 {
        engine.jump(seconds(20)).await;
        let renewed =
            lease::heartbeat(&mut *engine.connection().await, worker.id, seconds(30)).await.unwrap();
        assert!(renewed.is_some());
        if engine.live(leased.id).await.state == LiveState::Leased {
            // Only the step's own deadline, a hundred seconds, may take it.
            assert_eq!(engine.reap().await, 0);
        }
        sqlx::query("UPDATE live_runs SET deadline_at = deadline_at + interval '20 s'")
            .execute(&engine.pool)
            .await
            .unwrap();
    }
    assert_eq!(worker.advance(leased).await, Ended::Closed);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_racing_for_many_runs_never_hold_one_twice() {
    let mut engine = TestEngine::builder().options(|options| options.capacity = 32).start().await;
    let runs = engine.enqueue_many(300).await;
    for _ in 0..5 {
        engine.add_worker().await;
    }
    engine.drain().await;
    let (most_per_run, _, _) = engine.script.most_at_once();
    assert_eq!(most_per_run, 1);
    assert_eq!(engine.script.calls().len(), 6 * 300);
    for run in runs {
        assert_eq!(engine.status(run).await, RunStatus::Completed);
    }
    engine.finish().await;
}

/// The claims themselves race, statement against statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_at_the_same_moment_share_the_runs_out() {
    let engine = TestEngine::builder().start().await;
    let mut workers = Vec::new();
    for number in 0..8 {
        workers.push(engine.hand(&format!("gardener-{number}")).await);
    }
    for _ in 0..10 {
        engine.enqueue_many(60).await;
        let claimed: Vec<_> = join_all(workers.iter().map(|worker| worker.claim(20))).await.concat();
        let mut ids: Vec<_> = claimed.iter().map(|lease| lease.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), claimed.len(), "a run was claimed twice");
        for worker in &workers {
            let left = worker.claim(60).await;
            assert!(left.iter().all(|lease| !ids.contains(&lease.id)));
        }
    }
    let twice: i64 = sqlx::query_scalar("SELECT count(*) FROM live_runs WHERE epoch <> 1 OR attempt <> 1")
        .fetch_one(&engine.pool)
        .await
        .unwrap();
    assert_eq!(twice, 0);
    engine.finish().await;
}

/// Handing back leaves no event: the epoch alone tells the two holders apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_handed_back_is_refused_to_whoever_held_it_before() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    let (first, second) = (engine.hand("first").await, engine.hand("second").await);
    let stale = first.claim_one().await;
    let mut transaction = engine.pool.begin().await.unwrap();
    assert_eq!(lease::hand_back(&mut transaction, first.id, &[(run, stale.epoch)]).await.unwrap(), 1);
    transaction.commit().await.unwrap();
    let lease = second.claim_one().await;
    assert_eq!(lease.attempt, 1, "no attempt was charged");
    assert_eq!(first.advance(stale).await, Ended::Fenced);
    assert_eq!(engine.kinds(run).await, ["created"]);
    assert_eq!(second.advance(lease).await, Ended::Closed);
    engine.finish().await;
}

/// Somebody else's transaction, which holds a run.
async fn lock(engine: &TestEngine, run: RunId) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut transaction = engine.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM live_runs WHERE id = $1 FOR UPDATE")
        .bind(run.as_uuid())
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction
}

/// A claim takes what is free and does not wait for what is locked.
async fn assert_skips_what_is_locked(engine: &TestEngine, worker: &HandWorker, [locked, free]: [RunId; 2]) {
    let transaction = lock(engine, locked).await;
    let claimed =
        tokio::time::timeout(seconds(10), worker.claim(2)).await.expect("the claim waits for a lock");
    assert_eq!(claimed.iter().map(|lease| lease.id).collect::<Vec<_>>(), [free]);
    transaction.rollback().await.unwrap();
    assert_eq!(worker.claim_one().await.id, locked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_skips_what_is_locked() {
    let engine = TestEngine::builder().start().await;
    let runs = [engine.enqueue().await, engine.enqueue().await];
    assert_skips_what_is_locked(&engine, &engine.hand("gardener").await, runs).await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_what_is_due_skips_what_is_locked() {
    let engine = TestEngine::builder().script(|_| Act::Sleep(seconds(5))).start().await;
    let worker = engine.hand("gardener").await;
    let runs = [engine.enqueue().await, engine.enqueue().await];
    for _ in runs {
        assert!(matches!(worker.work().await.1, Ended::Parked { wake_at: Some(_) }));
    }
    engine.advance_clock(seconds(6)).await;
    assert_skips_what_is_locked(&engine, &worker, runs).await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_lined_up_but_for_what_is_locked() {
    let engine = TestEngine::builder().script(|_| Act::Sleep(seconds(5))).start().await;
    let worker = engine.hand("gardener").await;
    let locked = engine.enqueue().await;
    engine.enqueue().await;
    for _ in 0..2 {
        worker.work().await;
    }
    engine.advance_clock(seconds(10)).await;
    let transaction = lock(&engine, locked).await;
    let lined_up = tokio::time::timeout(seconds(10), engine.line_up());
    assert_eq!(lined_up.await.expect("it waits for a lock"), 1);
    transaction.rollback().await.unwrap();
    assert_eq!(engine.line_up().await, 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_kills_its_workers_fails_as_poison() {
    let policy = StepPolicy { max_crashes: 2, ..at_once() };
    let engine = TestEngine::builder().policy(policy).start().await;
    let run = engine.enqueue().await;
    for number in 0..3 {
        assert_eq!(engine.status(run).await, RunStatus::Live);
        drop(engine.hand(&format!("victim-{number}")).await.claim_one().await);
        assert_eq!(engine.reap_everything().await, 1);
    }
    assert_eq!(engine.status(run).await, RunStatus::Failed);
    assert_eq!(engine.error_code(run).await.as_deref(), Some("poison"));
    engine.resume(run, None).await;
    assert_eq!(engine.hand("survivor").await.work().await, (run, Ended::Closed));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_of_one_step_do_not_count_against_the_next() {
    let policy = StepPolicy { max_crashes: 1, ..at_once() };
    let engine = TestEngine::builder().policy(policy).start().await;
    let run = engine.enqueue().await;
    for step in ["measure", "plan", "water"] {
        let gate = Gate::new();
        let at = gate.clone();
        engine.script.set(move |call| if call.step == step { Act::Pass(at.clone()) } else { Act::Work });
        let worker = engine.hand(step).await;
        let task = worker.spawn(worker.claim_one().await);
        gate.reached().await;
        task.abort();
        drop(task.await);
        assert_eq!(engine.reap_everything().await, 1);
    }
    engine.script.set(|_| Act::Work);
    assert_eq!(engine.hand("survivor").await.work().await, (run, Ended::Closed));
    engine.finish().await;
}

/// The worker lives but its step never ends: past the deadline the attempt has failed, and nobody has died.
#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_step_counts_as_a_failed_attempt() {
    let engine = TestEngine::builder().policy(StepPolicy { max_attempts: 3, ..at_once() }).start().await;
    let run = engine.enqueue().await;
    let worker = engine.hand("stuck").await;
    for attempt in 1..=3 {
        let lease = worker.claim_one().await;
        assert_eq!(lease.attempt, attempt);
        engine.jump(seconds(101)).await;
        sqlx::query("UPDATE workers SET expires_at = engine_now() + interval '30 s'")
            .execute(&engine.pool)
            .await
            .unwrap();
        assert_eq!(engine.reap().await, 1);
        assert_eq!(worker.advance(lease).await, Ended::Fenced);
    }
    assert_eq!(engine.status(run).await, RunStatus::Failed);
    assert_eq!(engine.error_code(run).await.as_deref(), Some("deadline_passed"));
    assert_eq!(engine.kinds(run).await, ["created", "step_retried", "step_retried", "failed"]);
    engine.finish().await;
}

/// A worker that works by itself finds out that it was declared dead, and goes on under a new id.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_declared_dead_starts_over_and_finishes_the_work() {
    let engine = TestEngine::builder()
        .workers(1)
        .options(|options| options.lease = Duration::from_millis(900))
        .start()
        .await;
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| match (call.step, call.number) {
        ("water", 1) => Act::Pass(at.clone()),
        _ => Act::Work,
    });
    let run = engine.enqueue().await;
    gate.reached().await;
    assert_eq!(engine.reap_everything().await, 1);
    engine.ends(run, RunStatus::Completed).await;
    assert_eq!(engine.script.calls_of(run, "water").len(), 2);
    engine.finish().await;
}

/// Nobody calls the reaper here: the surviving worker does.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_worker_takes_over_from_a_dead_one() {
    let mut engine =
        TestEngine::builder().options(|options| options.lease = Duration::from_millis(900)).start().await;
    let run = engine.enqueue().await;
    let dead = engine.hand("dead").await;
    drop(dead.claim_one().await);
    engine.add_worker().await;
    engine.ends(run, RunStatus::Completed).await;
    until("the dead worker is off the list", || async {
        let workers = lease::list(&mut *engine.connection().await).await.unwrap();
        workers.iter().all(|worker| worker.id != dead.id)
    })
    .await;
    engine.finish().await;
}
