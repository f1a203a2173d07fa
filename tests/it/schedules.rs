//! Schedules fire once, whoever looks.

use crate::support::{TestEngine, greenhouse::GREENHOUSE, seconds, until};
use chrono::{TimeDelta, Timelike};
use futures::future::join_all;
use std::time::Duration;
use ticketflow_engine::{
    scheduler::{self, Overlap, Schedule},
    status::RunStatus,
    store::schedule,
};

fn hourly(overlap: Overlap) -> Schedule {
    Schedule {
        name: "round".to_owned(),
        workflow: GREENHOUSE.to_owned(),
        cron: "0 * * * *".to_owned(),
        input: TestEngine::order("north"),
        overlap,
    }
}

async fn runs(engine: &TestEngine) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&engine.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_at_its_time_and_not_before() {
    let engine = TestEngine::builder().start().await;
    let next = scheduler::put(&engine.client, &hourly(Overlap::Allow)).await.unwrap();
    assert_eq!((next.minute(), next.second()), (0, 0));
    assert!(next - engine.clock.now() <= TimeDelta::hours(1));
    assert!(scheduler::fire_due(&engine.client).await.unwrap().is_empty());
    engine.advance_clock((next - engine.clock.now()).to_std().unwrap() + seconds(1)).await;
    assert_eq!(scheduler::fire_due(&engine.client).await.unwrap().len(), 1);
    assert!(scheduler::fire_due(&engine.client).await.unwrap().is_empty());
    let row = schedule::list(&mut *engine.connection().await).await.unwrap().remove(0);
    assert_eq!(row.next_at, next + TimeDelta::hours(1));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_schedule_fires_once_though_many_look_at_the_same_moment() {
    let engine = TestEngine::builder().start().await;
    scheduler::put(&engine.client, &hourly(Overlap::Allow)).await.unwrap();
    let clients: Vec<_> = (0..8).map(|_| engine.client_of(engine.catalog.clone())).collect();
    for round in 1..=10 {
        engine.advance_clock(seconds(3_600)).await;
        let fired = join_all(clients.iter().map(scheduler::fire_due)).await;
        let fired: usize = fired.into_iter().map(|runs| runs.unwrap().len()).sum();
        assert_eq!(fired, 1);
        assert_eq!(runs(&engine).await, round);
    }
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_time_is_made_up_for_once() {
    let engine = TestEngine::builder().start().await;
    scheduler::put(&engine.client, &hourly(Overlap::Allow)).await.unwrap();
    engine.advance_clock(seconds(10 * 3_600)).await;
    assert_eq!(scheduler::fire_due(&engine.client).await.unwrap().len(), 1);
    let row = schedule::list(&mut *engine.connection().await).await.unwrap().remove(0);
    assert!(row.next_at > engine.clock.now() && row.next_at <= engine.clock.now() + TimeDelta::hours(1));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_must_not_overlap_skips_while_its_last_run_is_live() {
    let engine = TestEngine::builder().start().await;
    scheduler::put(&engine.client, &hourly(Overlap::Skip)).await.unwrap();
    let mut fired = Vec::new();
    for _ in 0..3 {
        engine.advance_clock(seconds(3_600)).await;
        fired.push(scheduler::fire_due(&engine.client).await.unwrap().len());
    }
    assert_eq!(fired, [1, 0, 0]);
    let worker = engine.hand("gardener").await;
    worker.work().await;
    engine.advance_clock(seconds(3_600)).await;
    assert_eq!(scheduler::fire_due(&engine.client).await.unwrap().len(), 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_workers_fire_schedules() {
    let engine = TestEngine::builder()
        .workers(2)
        .options(|options| options.lease = Duration::from_millis(900))
        .start()
        .await;
    scheduler::put(&engine.client, &hourly(Overlap::Allow)).await.unwrap();
    engine.advance_clock(seconds(3_600)).await;
    until("it fired", || async { runs(&engine).await == 1 }).await;
    engine.drain().await;
    let completed: String =
        sqlx::query_scalar("SELECT status FROM runs").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(completed, RunStatus::Completed.as_str());
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_never_fire_is_refused() {
    let engine = TestEngine::builder().start().await;
    let client = &engine.client;
    let cron = Schedule { cron: "every monday".to_owned(), ..hourly(Overlap::Skip) };
    let error = scheduler::put(client, &cron).await.unwrap_err().to_string();
    assert!(error.contains("every monday"), "{error}");
    for fields in ["0 0 * * * *", "0 0 0 * * * 2030", "0 * * *"] {
        let cron = Schedule { cron: fields.to_owned(), ..hourly(Overlap::Skip) };
        assert!(scheduler::put(client, &cron).await.is_err(), "{fields} has not five fields");
    }
    let never = Schedule { cron: "0 0 30 2 *".to_owned(), ..hourly(Overlap::Skip) };
    assert!(scheduler::put(client, &never).await.is_err());
    let unknown = Schedule { workflow: "compost".to_owned(), ..hourly(Overlap::Skip) };
    assert!(scheduler::put(client, &unknown).await.is_err());
    let input = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
    assert!(scheduler::put(client, &Schedule { input, ..hourly(Overlap::Skip) }).await.is_err());
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_cannot_fire_keeps_no_other_from_firing() {
    let engine = TestEngine::builder().start().await;
    for name in ["a", "b", "c", "d"] {
        let schedule = Schedule { name: name.to_owned(), ..hourly(Overlap::Allow) };
        scheduler::put(&engine.client, &schedule).await.unwrap();
    }
    // What time may do to schedules: an input no longer fits, an expression has no more times, the table refuses.
    let spoil = "UPDATE schedules SET input = CASE name WHEN 'a' THEN '{}' WHEN 'c' THEN '{\"bed\":\"thorns\",\"plants\":1}'
            ELSE input END,
            cron = CASE name WHEN 'b' THEN '0 0 30 2 *' ELSE cron END";
    sqlx::query(spoil).execute(&engine.pool).await.unwrap();
    sqlx::query("ALTER TABLE run_events ADD CHECK (payload::text NOT LIKE '%thorns%')")
        .execute(&engine.pool)
        .await
        .unwrap();
    engine.advance_clock(seconds(3_600)).await;
    // b fires a last time; d is not held up.
    assert_eq!(scheduler::fire_due(&engine.client).await.unwrap().len(), 2);
    let rows = schedule::list(&mut *engine.connection().await).await.unwrap();
    let paused: Vec<bool> = rows.iter().map(|row| row.paused).collect();
    assert_eq!(paused, [false, true, false, false]);
    assert!(rows.iter().all(|row| row.paused || row.next_at > engine.clock.now()), "{rows:?}");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_of_an_unknown_workflow_is_left_to_processes_that_know_it() {
    let engine = TestEngine::builder().start().await;
    scheduler::put(&engine.client, &hourly(Overlap::Allow)).await.unwrap();
    engine.advance_clock(seconds(3_600)).await;
    let ignorant = engine.client_of(ticketflow_engine::Catalog::default());
    assert!(scheduler::fire_due(&ignorant).await.unwrap().is_empty());
    assert_eq!(scheduler::fire_due(&engine.client).await.unwrap().len(), 1);
    engine.finish().await;
}
