//! Signals: outside input to a run. A signal is stored, counted and wakes its run in one statement, and a run parks
//! only if it has seen every signal counted: no wake-up is lost.

use crate::{
    error::StoreError,
    event::SignalReceived,
    id::{Actor, RunId},
};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// What became of a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its number among the run's signals.
    pub number: i32,
    /// Queue to wake, if the run was waiting.
    pub woke: Option<String>,
}

/// Sends a signal. `None`: no such run is live.
///
/// # Errors
/// If the database did not do it.
pub async fn send(
    connection: &mut PgConnection,
    run: RunId,
    name: &str,
    payload: &RawValue,
    actor: &Actor,
) -> Result<Option<Sent>, StoreError> {
    // The new row is made from `run` alone: PostgreSQL checks constraints on what it makes of the snapshot's version
    // before it looks at the newest one, and a mixture of the two could break them. The clock is read beforehand, for
    // Citus takes no function of it within CASE.
    let row = sqlx::query!(
        r#"WITH before AS (
               SELECT state, engine_now() AS now FROM live_runs WHERE bucket = $1 AND id = $2 FOR UPDATE
           ), woken AS (
               UPDATE live_runs AS run
               SET signal_count = run.signal_count + 1,
                   state = CASE run.state WHEN 'waiting' THEN 'ready' ELSE run.state END,
                   wake_at = CASE run.state WHEN 'waiting' THEN before.now ELSE run.wake_at END
               FROM before
               WHERE run.bucket = $1 AND run.id = $2
               RETURNING run.signal_count, run.queue, before.state
           ), stored AS (
               INSERT INTO signals (bucket, run_id, number, name, payload, actor, at)
               SELECT $1, $2, signal_count, $3, $4::text::json, $5, engine_now() FROM woken
           )
           SELECT signal_count, queue, state = 'waiting' AS "waiting!" FROM woken"#,
        run.bucket().as_i16(),
        run.as_uuid(),
        name,
        payload.get(),
        actor.as_str(),
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("send a signal"))?;
    Ok(row.map(|row| Sent { number: row.signal_count, woke: row.waiting.then_some(row.queue) }))
}

/// The first signal called `name` with a number above `past` that the run has not consumed.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn pending(
    connection: &mut PgConnection,
    run: RunId,
    name: &str,
    past: i32,
    consumed: &BTreeSet<i32>,
) -> Result<Option<SignalReceived>, StoreError> {
    let consumed: Vec<i32> = consumed.iter().copied().collect();
    let row = sqlx::query!(
        r#"SELECT number, actor, payload::text AS "payload!" FROM signals
           WHERE bucket = $1 AND run_id = $2 AND name = $3 AND number > $4 AND number <> ALL ($5)
           ORDER BY number LIMIT 1"#,
        run.bucket().as_i16(),
        run.as_uuid(),
        name,
        past,
        &consumed,
    )
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("read signals"))?;
    row.map(|row| {
        let payload = RawValue::from_string(row.payload).map_err(|error| StoreError::Corrupt {
            table: "signals",
            column: "payload",
            row: format!("{run} number {}", row.number),
            problem: error.to_string(),
        })?;
        Ok(SignalReceived {
            signal: name.to_owned(),
            number: row.number,
            from: Actor::new(&row.actor),
            payload,
        })
    })
    .transpose()
}
