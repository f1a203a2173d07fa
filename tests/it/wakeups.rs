//! How workers hear that there is something to do.

use crate::support::{TestEngine, database, proxy::Proxy, seconds, until};
use sqlx::postgres::PgListener;
use ticketflow_engine::{
    status::RunStatus,
    store::limit,
    wakeup::{CHANNEL, Wakeup},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_completes_without_notify() {
    let engine = TestEngine::builder().notify(false).workers(2).start().await;
    let runs = engine.enqueue_many(50).await;
    engine.drain().await;
    for run in runs {
        assert_eq!(engine.status(run).await, RunStatus::Completed);
    }
    engine.finish().await;
}

/// The poll is far too slow to be what woke the worker.
#[tokio::test(flavor = "multi_thread")]
async fn a_notify_wakes_a_worker_of_another_process() {
    let engine =
        TestEngine::builder().workers(1).options(|options| options.poll = seconds(3_600)).start().await;
    until("the worker listens", || async {
        let listening = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database())";
        sqlx::query_scalar::<_, bool>(listening).fetch_one(&engine.pool).await.unwrap()
    })
    .await;
    for _ in 0..12 {
        let run = engine.enqueue().await;
        engine.ends(run, RunStatus::Completed).await;
    }
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_ready_while_a_notify_is_under_way_sends_one_more() {
    let engine = TestEngine::builder().start().await;
    let mut listener = PgListener::connect(&engine.direct_url()).await.unwrap();
    listener.listen_all([CHANNEL, "end"]).await.unwrap();
    let proxy = Proxy::before(&engine.url()).await;
    let pool = database::connect(&proxy.url(&engine.url())).await;
    let wakeup = Wakeup::new(true);
    let under_way = proxy.hold("pg_notify");
    wakeup.ready(&pool, 1);
    under_way.reached().await;
    (0..5).for_each(|_| wakeup.ready(&pool, 1));
    under_way.open();
    for runs in ["1", "5"] {
        let heard = listener.recv().await.unwrap();
        assert_eq!((heard.channel(), heard.payload()), (CHANNEL, runs));
    }
    wakeup.ready(&pool, 3);
    assert_eq!(listener.recv().await.unwrap().payload(), "3", "those after it send their own");
    sqlx::query("NOTIFY \"end\"").execute(&engine.pool).await.unwrap();
    assert_eq!(listener.recv().await.unwrap().channel(), "end", "and no more than that");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_can_take_what_it_makes_ready_tells_no_other() {
    let engine = TestEngine::builder().start().await;
    let mut listener = PgListener::connect(&engine.direct_url()).await.unwrap();
    listener.listen_all([CHANNEL, "end"]).await.unwrap();
    let wakeup = Wakeup::new(true);
    wakeup.set_idle_capacity(3);
    wakeup.ready(&engine.pool, 1);
    wakeup.ready(&engine.pool, 2);
    sqlx::query("NOTIFY \"end\"").execute(&engine.pool).await.unwrap();
    assert_eq!(listener.recv().await.unwrap().channel(), "end", "it has room for three");
    wakeup.ready(&engine.pool, 1);
    assert_eq!(listener.recv().await.unwrap().channel(), CHANNEL, "not for four");
    engine.finish().await;
}

/// Registers a worker that never does anything.
async fn register(engine: &TestEngine, queue: &str, definitions: &[String], state: &str) {
    sqlx::query(
        "INSERT INTO workers (id, name, queues, definitions, capacity, state, started_at, expires_at)
         VALUES (gen_random_uuid(), 'idle', ARRAY[$1], $2, 1, $3, engine_now(), engine_now() + interval '1 hour')",
    )
    .bind(queue)
    .bind(definitions)
    .bind(state)
    .execute(&engine.pool)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_counts_as_its_fleet_those_that_could_take_its_place() {
    let engine = TestEngine::builder().start().await;
    let (queues, knows) = (["default".to_owned()], engine.catalog.advertised());
    let fleet = async || {
        let mut connection = engine.connection().await;
        limit::surroundings(&mut connection, &queues, &knows).await.unwrap().fleet
    };
    for others in 0..3 {
        assert_eq!(fleet().await, others);
        register(&engine, "default", &knows, "active").await;
    }
    register(&engine, "default", &knows, "draining").await;
    register(&engine, "elsewhere", &knows, "active").await;
    register(&engine, "default", &["another@1".to_owned()], "active").await;
    assert_eq!(fleet().await, 3, "none of the others takes what it would");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_has_made_ready_anywhere_is_told_whatever_room_it_has() {
    let engine = TestEngine::builder().start().await;
    let mut listener = PgListener::connect(&engine.direct_url()).await.unwrap();
    listener.listen(CHANNEL).await.unwrap();
    let wakeup = Wakeup::new(true);
    wakeup.set_idle_capacity(10);
    wakeup.ready_anywhere(&engine.pool, 2);
    assert_eq!(listener.recv().await.unwrap().payload(), "2");
    engine.finish().await;
}
