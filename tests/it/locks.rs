//! Locks are taken in one order, so that no two transactions ever wait for each other in a circle.

use crate::support::{
    Act, TestEngine,
    greenhouse::{at_once, greenhouse},
    until,
};
use futures::future::join_all;
use serde_json::value::RawValue;
use std::{collections::BTreeMap, time::Duration};
use ticketflow_engine::{
    Catalog,
    store::limit::{self, QueueSettings},
};

const BEDS: [&str; 8] = ["north", "south", "east", "west", "upper", "lower", "sunny", "shady"];

/// Everything that takes locks at once: claims with limits of both kinds, commits, reaping, operators, signals,
/// enqueues. The order is in `engine/src/store/mod.rs`; the end of the test asks the server for deadlocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn locks_are_taken_in_one_order() {
    let mut engine = TestEngine::builder()
        .catalog(|script| {
            let definition =
                greenhouse(1, script, at_once()).at_most_per_key(2, |order| Some(order.bed.clone()));
            Catalog::new([definition.build().unwrap()]).unwrap()
        })
        .options(|options| options.lease = Duration::from_millis(900))
        .script(|call| match (call.step, call.number) {
            ("plan", 1) => Act::Wait("rain", Some(Duration::from_millis(20))),
            ("water", 1) => Act::Retry,
            _ => Act::Work,
        })
        .start()
        .await;
    for _ in 0..3 {
        engine.add_worker().await;
    }
    for max_leased in [None, Some(8)] {
        let queue = QueueSettings { name: "default".to_owned(), max_leased, paused: false };
        limit::set_queue(&mut *engine.connection().await, &queue).await.unwrap();
        join_all((0..12).map(|round| meddle(&engine, round))).await;
    }
    engine.drain().await;
    until("no run waits any more", || async {
        sqlx::query_scalar::<_, bool>("SELECT NOT EXISTS (SELECT FROM live_runs)")
            .fetch_one(&engine.pool)
            .await
            .unwrap()
    })
    .await;
    engine.finish().await;
}

/// Enqueues runs and does something to each; what comes too late for its run meets the others' locks all the same.
async fn meddle(engine: &TestEngine, round: usize) {
    let (client, operator) = (&engine.client, TestEngine::operator());
    let rain = RawValue::from_string("1".to_owned()).unwrap();
    for number in 0..12 {
        let run = engine.enqueue_in_bed(BEDS[(round + number) % BEDS.len()]).await;
        match number % 8 {
            0 => drop(client.cancel(run, &operator, "").await),
            1 => {
                drop(client.pause(run, &operator, "").await);
                drop(client.resume(run, &operator, "", None, BTreeMap::new()).await);
            }
            2 => drop(client.signal(run, "rain", &rain, &operator).await),
            3 => drop(engine.reap().await),
            _ => {}
        }
    }
}
