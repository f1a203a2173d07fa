//! In which order runs are claimed: by priority, then by how long they have been ready, and no sooner than told.

use crate::support::{TestEngine, seconds};
use chrono::{DateTime, Utc};
use ticketflow_engine::{
    RunId,
    client::EnqueueRequest,
    store::claim::{self, ClaimRequest, Place},
};

#[tokio::test(flavor = "multi_thread")]
async fn urgent_runs_are_claimed_first_and_equals_in_order() {
    let engine = TestEngine::builder().start().await;
    let mut expected = Vec::new();
    for priority in [5, 1, 9, 1, 5] {
        let request = EnqueueRequest { priority: Some(priority), ..TestEngine::request("north") };
        expected.push((priority, engine.client.enqueue(request).await.unwrap().run()));
    }
    expected.sort_by_key(|(priority, _)| *priority);
    let worker = engine.hand("gardener").await;
    let one_by_one = [worker.claim_one().await.id, worker.claim_one().await.id];
    let rest: Vec<_> = worker.claim(10).await.into_iter().map(|lease| lease.id).collect();
    let claimed = [one_by_one.as_slice(), rest.as_slice()].concat();
    assert_eq!(claimed, expected.into_iter().map(|(_, run)| run).collect::<Vec<_>>());
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_from_a_place_leaves_what_stands_before_it() {
    let engine = TestEngine::builder().start().await;
    let worker = engine.hand("gardener").await;
    let [first, second, urgent] = [
        enqueue_urgent(&engine, "north", 5, None).await,
        enqueue_urgent(&engine, "south", 5, None).await,
        enqueue_urgent(&engine, "east", 1, None).await,
    ];
    let mut connection = engine.connection().await;
    let of = "SELECT priority, wake_at FROM live_runs WHERE bucket = $1 AND id = $2";
    let (priority, wake_at): (i16, DateTime<Utc>) = sqlx::query_as(of)
        .bind(second.bucket().as_i16())
        .bind(second.as_uuid())
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let request = ClaimRequest { from: Place { priority, wake_at }, ..worker.request(10) };
    let claimed = claim::claim(&mut connection, &request).await.unwrap();
    let claimed: Vec<_> = claimed.runs.iter().map(|run| (run.id, run.place)).collect();
    assert_eq!(claimed, [(second, Place { priority, wake_at })]);
    drop(connection);
    let rest: Vec<_> = worker.claim(10).await.into_iter().map(|lease| lease.id).collect();
    assert_eq!(rest, [urgent, first]);
    engine.finish().await;
}

/// Enqueues a run of that priority, at once or to be started later.
pub(crate) async fn enqueue_urgent(
    engine: &TestEngine,
    bed: &str,
    priority: i16,
    in_seconds: Option<i64>,
) -> RunId {
    let start_at = in_seconds.map(|later| engine.clock.now() + chrono::TimeDelta::seconds(later));
    let request = EnqueueRequest { priority: Some(priority), start_at, ..TestEngine::request(bed) };
    engine.client.enqueue(request).await.unwrap().run()
}

/// Runs whose sleep is over have no precedence over ready ones, nor the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn due_sleepers_and_ready_runs_are_claimed_in_one_order() {
    let engine = TestEngine::builder().start().await;
    let mut expected = Vec::new();
    for (priority, in_seconds) in [(3, Some(1)), (2, None), (1, Some(1)), (4, None)] {
        expected.push((priority, enqueue_urgent(&engine, "north", priority, in_seconds).await));
    }
    engine.advance_clock(seconds(2)).await;
    expected.sort_by_key(|(priority, _)| *priority);
    let worker = engine.hand("gardener").await;
    for pair in expected.chunks(2) {
        let claimed: Vec<_> = worker.claim(2).await.into_iter().map(|lease| lease.id).collect();
        assert_eq!(claimed, [pair[0].1, pair[1].1]);
    }
    engine.finish().await;
}

/// More runs became due than a claim takes: the urgent one among them is not left to the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_due_sleepers_lines_up_by_priority() {
    let engine = TestEngine::builder().start().await;
    for second in 1..=20 {
        enqueue_urgent(&engine, "north", 5, Some(second)).await;
    }
    let urgent = enqueue_urgent(&engine, "north", 1, Some(30)).await;
    engine.advance_clock(seconds(60)).await;
    assert_eq!(engine.line_up().await, 21);
    assert_eq!(engine.hand("gardener").await.claim_one().await.id, urgent);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_starts_later_is_not_claimed_before() {
    let engine = TestEngine::builder().start().await;
    let start_at = Some(engine.clock.now() + chrono::TimeDelta::hours(1));
    let request = EnqueueRequest { start_at, ..TestEngine::request("north") };
    let run = engine.client.enqueue(request).await.unwrap().run();
    let worker = engine.hand("gardener").await;
    assert!(worker.claim(1).await.is_empty());
    engine.advance_clock(seconds(3_601)).await;
    assert_eq!(worker.work().await.0, run);
    engine.finish().await;
}
