//! The floor: the same rows, written in batches of 32 runs by plain SQL, eight clients, without an engine.

use super::{
    connect,
    phases::Bench,
    probe::{Cost, as_f64},
};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgConnection};
use std::time::{Duration, Instant};

const BATCH: i32 = 32;
const CLIENTS: usize = 8;

/// What plain SQL reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Floor {
    pub(super) runs: usize,
    pub(super) runs_per_second: f64,
    pub(super) cost: Cost,
}

/// Runs the floor for `time`.
pub(super) async fn measure(bench: &Bench, time: Duration) -> anyhow::Result<Floor> {
    let pool = connect(bench.options.clone()).await?;
    prepare(&pool).await?;
    let before = bench.probe().await?;
    let started = Instant::now();
    let tasks = (0..CLIENTS).map(|client| tokio::spawn(batches(pool.clone(), client, started, time)));
    let mut runs = 0;
    for task in futures::future::join_all(tasks).await {
        runs += usize::try_from(task?? * BATCH)?;
    }
    let runs_per_second = as_f64(runs) / started.elapsed().as_secs_f64();
    pool.close().await;
    let cost = before.cost(&bench.probe().await?, &bench.pool, runs).await?;
    Ok(Floor { runs, runs_per_second, cost })
}

/// One client: batch after batch until the time is over. Returns how many.
async fn batches(pool: PgPool, client: usize, started: Instant, time: Duration) -> anyhow::Result<i32> {
    let mut connection = pool.acquire().await?;
    let mut batches = 0;
    while started.elapsed() < time {
        let first = i32::try_from(client)? * 100_000_000 + batches * BATCH;
        batch(&mut connection, first).await?;
        batches += 1;
    }
    Ok(batches)
}

async fn prepare(pool: &PgPool) -> anyhow::Result<()> {
    for statement in [
        "DROP TABLE IF EXISTS floor_live, floor_runs, floor_events",
        "CREATE TABLE floor_live (id integer PRIMARY KEY, state text NOT NULL, step text NOT NULL, seq integer NOT NULL,
             epoch integer NOT NULL, hash bytea NOT NULL) WITH (fillfactor = 50)",
        "CREATE TABLE floor_runs (id integer PRIMARY KEY, status text NOT NULL, at timestamptz NOT NULL)",
        "CREATE TABLE floor_events (run_id integer NOT NULL, seq integer NOT NULL, kind text NOT NULL, step text,
             actor text NOT NULL, payload json NOT NULL, at timestamptz NOT NULL, hash bytea NOT NULL,
             PRIMARY KEY (run_id, seq))",
    ] {
        sqlx::query(statement).execute(pool).await?;
    }
    Ok(())
}

/// One batch: enqueue, claim, six checkpoints, the last of which closes the runs. Eight commits for 32 runs.
async fn batch(connection: &mut PgConnection, first: i32) -> anyhow::Result<()> {
    let ids: Vec<i32> = (first..first + BATCH).collect();
    sqlx::query(
        "WITH item AS (SELECT unnest($1::integer[]) AS id), header AS (
             INSERT INTO floor_runs SELECT id, 'live', now() FROM item
         ), log AS (
             INSERT INTO floor_events SELECT id, 0, 'created', 'one', 'bench', '{}', now(), $2 FROM item
         ) INSERT INTO floor_live SELECT id, 'ready', 'one', 0, 0, $2 FROM item",
    )
    .bind(&ids)
    .bind([0u8; 32].as_slice())
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE floor_live SET state = 'leased', epoch = epoch + 1 WHERE id = ANY ($1)")
        .bind(&ids)
        .execute(&mut *connection)
        .await?;
    let payload = format!("{{\"next\":\"step\",\"output\":{{\"text\":\"{}\"}}}}", "x".repeat(260));
    for seq in 1..=5 {
        sqlx::query(
            "WITH item AS (SELECT unnest($1::integer[]) AS id), moved AS (
                 UPDATE floor_live AS run SET step = 'step', seq = $2, hash = $4 FROM item
                 WHERE run.id = item.id AND run.epoch = 1 RETURNING run.id
             ) INSERT INTO floor_events
             SELECT id, $2, 'step_completed', 'step', 'worker:bench', $3::json, now(), $4 FROM moved",
        )
        .bind(&ids)
        .bind(seq)
        .bind(&payload)
        .bind([1u8; 32].as_slice())
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query(
        "WITH gone AS (DELETE FROM floor_live WHERE id = ANY ($1) AND epoch = 1 RETURNING id), header AS (
             UPDATE floor_runs AS run SET status = 'completed' FROM gone WHERE run.id = gone.id
         ) INSERT INTO floor_events
         SELECT id, seq, kind, 'six', 'worker:bench', $2::json, now(), $3
         FROM gone, (VALUES (6, 'step_completed'), (7, 'completed')) AS closing (seq, kind)",
    )
    .bind(&ids)
    .bind(&payload)
    .bind([2u8; 32].as_slice())
    .execute(&mut *connection)
    .await?;
    Ok(())
}
