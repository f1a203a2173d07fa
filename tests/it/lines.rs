//! Connections that tasks keep for themselves: others get theirs all the same.

use crate::support::{TestEngine, until};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::time::Duration;
use ticketflow_engine::loan::Line;

/// As many connections as `most`, for which nobody waits long.
async fn pool(engine: &TestEngine, most: u32) -> PgPool {
    let options = PgPoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(20));
    options.connect(&engine.url()).await.unwrap()
}

async fn ask(line: &Line) -> i32 {
    let mut connection = line.loan().await.unwrap();
    let server = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await.unwrap();
    line.keep(connection).await.unwrap();
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_task_keeps_its_connection_and_an_idle_one_gives_it_back() {
    let engine = TestEngine::builder().start().await;
    let pool = pool(&engine, 2).await;
    let line = Line::new(pool.clone());
    let first = ask(&line).await;
    assert_eq!(pool.num_idle(), 0, "it is kept");
    assert_eq!(ask(&line).await, first);
    until("it is given back", || async { pool.num_idle() == 1 }).await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_ask_all_the_time_leave_room_for_others_in_the_smallest_pool() {
    let engine = TestEngine::builder().start().await;
    let pool = pool(&engine, 1).await;
    let busy = [Line::new(pool.clone()), Line::new(pool.clone())].map(|line| {
        tokio::spawn(async move {
            loop {
                ask(&line).await;
            }
        })
    });
    for _ in 0..20 {
        drop(pool.acquire().await.unwrap());
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
    pool.close().await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_question_was_given_up_is_asked_nothing_more() {
    let engine = TestEngine::builder().start().await;
    let pool = pool(&engine, 1).await;
    let line = Line::new(pool.clone());
    let first = ask(&line).await;
    let hanging = async {
        let mut connection = line.loan().await.unwrap();
        sqlx::query("SELECT pg_sleep(3600)").execute(&mut *connection).await.unwrap();
    };
    assert!(tokio::time::timeout(Duration::from_millis(50), hanging).await.is_err());
    assert_ne!(ask(&line).await, first);
    engine.finish().await;
}

/// The pool is asked now and then, for it knows which server takes the writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_not_kept_for_ever() {
    let engine = TestEngine::builder().start().await;
    let options = PgPoolOptions::new().max_connections(3).max_lifetime(Duration::from_millis(1));
    let line = Line::new(options.connect(&engine.url()).await.unwrap());
    let first = ask(&line).await;
    until("the pool had a look at it", || async { ask(&line).await != first }).await;
    engine.finish().await;
}
