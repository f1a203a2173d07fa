//! What the rows alone tell: headers beside live rows, leases beside workers, counters beside what they count.

use super::{Bounds, Invariant, Report};
use crate::{error::StoreError, id::RunId, store::claim::interval};
use sqlx::PgConnection;

pub(super) async fn check(
    connection: &mut PgConnection,
    bounds: Bounds,
    report: &mut Report,
) -> Result<(), StoreError> {
    headers(connection, report).await?;
    heads(connection, report).await?;
    stuck(connection, bounds, report).await?;
    counters(connection, report).await
}

async fn headers(connection: &mut PgConnection, report: &mut Report) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(run.id, live.id) AS "id!: RunId", run.status AS "status?", live.state AS "state?"
           FROM runs AS run
           FULL JOIN live_runs AS live ON live.bucket = run.bucket AND live.id = run.id
           WHERE (run.status = 'live') IS DISTINCT FROM (live.id IS NOT NULL)"#,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(StoreError::database("compare headers with live rows"))?;
    for row in rows {
        let header = row.status.as_deref().unwrap_or("missing");
        let live = row.state.as_deref().unwrap_or("missing");
        report.add(Invariant::I1, Some(row.id), format!("its header is {header}, its live row {live}"));
    }
    let keys = sqlx::query!(
        r#"SELECT held.run_id AS "run_id: RunId" FROM idempotency AS held
           WHERE NOT EXISTS (SELECT FROM runs WHERE bucket = held.bucket AND id = held.run_id)
               -- Dropped by retention, and about to be forgotten here too.
               AND NOT EXISTS (
                   SELECT FROM retirements WHERE next_bucket < 256 AND held.run_id >= low AND held.run_id < high
               )"#,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("look for acknowledged runs"))?;
    for row in keys {
        report.add(Invariant::I1, Some(row.run_id), "an idempotency key names it, but it does not exist");
    }
    Ok(())
}

/// The live row must know the log's last event.
async fn heads(connection: &mut PgConnection, report: &mut Report) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT live.id AS "id: RunId", live.seq, live.epoch, last.seq AS "last_seq?", last.epoch AS "last_epoch?",
                  last.hash IS NOT DISTINCT FROM live.last_hash AS "same_hash!"
           FROM live_runs AS live
           LEFT JOIN LATERAL (
               SELECT seq, epoch, hash FROM run_events
               WHERE bucket = live.bucket AND run_id = live.id ORDER BY seq DESC LIMIT 1
           ) AS last ON true
           WHERE last.seq IS DISTINCT FROM live.seq OR last.hash IS DISTINCT FROM live.last_hash
               OR last.epoch > live.epoch"#,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("compare live rows with their logs"))?;
    for row in rows {
        if row.last_seq != Some(row.seq) || !row.same_hash {
            let detail = format!("its row stands at event {}, its log at {:?}", row.seq, row.last_seq);
            report.add(Invariant::I3, Some(row.id), detail);
        }
        if row.last_epoch > Some(row.epoch) {
            let detail = format!("its last event has epoch {:?}, its row {}", row.last_epoch, row.epoch);
            report.add(Invariant::I5, Some(row.id), detail);
        }
    }
    Ok(())
}

async fn stuck(connection: &mut PgConnection, bounds: Bounds, report: &mut Report) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT run.id AS "id: RunId", run.state FROM live_runs AS run
           LEFT JOIN workers AS worker ON worker.id = run.worker_id
           WHERE (run.state = 'leased' AND (
                   worker.id IS NULL OR least(worker.expires_at, run.deadline_at) < engine_now() - $2::interval
               ))
              OR (run.state = 'blocked' AND run.wake_at < engine_now() - $1::interval AND EXISTS (
                   SELECT FROM concurrency_keys WHERE key = run.concurrency_key AND leased < max_leased
               ))
              OR (run.state IN ('ready', 'sleeping', 'waiting') AND run.wake_at < engine_now() - $1::interval
                  AND NOT EXISTS (SELECT FROM queues WHERE name = run.queue AND (paused OR max_leased IS NOT NULL))
                  AND EXISTS (
                      SELECT FROM workers
                      WHERE expires_at > engine_now() AND run.workflow || '@' || run.version = ANY (definitions)
                  ))
           LIMIT 100"#,
        interval(bounds.unclaimed),
        interval(bounds.unreaped),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("look for stuck runs"))?;
    for row in rows {
        report.add(Invariant::I8, Some(row.id), format!("{} past the bound", row.state));
    }
    Ok(())
}

async fn counters(connection: &mut PgConnection, report: &mut Report) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"WITH held AS (
               SELECT 'queue ' || queue AS name, count(*) FROM live_runs WHERE slots & 1 = 1 GROUP BY queue
               UNION ALL
               SELECT 'key ' || concurrency_key, count(*) FROM live_runs WHERE slots & 2 = 2 GROUP BY concurrency_key
           ), counted AS (
               SELECT 'queue ' || name AS name, leased FROM queues
               UNION ALL
               SELECT 'key ' || key, leased FROM concurrency_keys
           )
           SELECT name AS "name!", coalesce(counted.leased, 0) AS "leased!", coalesce(held.count, 0) AS "held!"
           FROM counted FULL JOIN held USING (name)
           WHERE coalesce(counted.leased, 0) <> coalesce(held.count, 0)"#,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("check the limits' counters"))?;
    for row in rows {
        let detail = format!("{} counts {} leased runs, {} are", row.name, row.leased, row.held);
        report.add(Invariant::I7, None, detail);
    }
    Ok(())
}
