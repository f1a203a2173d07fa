//! Answers that were paid for: the table `model_answers`. A step that is repeated after a crash asks here first.

use super::corrupt;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, types::Json};
use ticketflow_engine::{RunId, StoreError};

/// How long an answer is kept: longer than any step is tried.
const KEPT: TimeDelta = TimeDelta::days(2);
/// Rows that one sweep takes at most.
const SWEPT: i64 = 1_000;

/// What tells requests apart: a hash over provider, model, parameters and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestHash([u8; 32]);

impl RequestHash {
    /// Hashes the parts of a request. Each is preceded by its length, so that no text can slide from one into the next.
    pub fn of(parts: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Self(hasher.finalize().into())
    }
}

/// An answer that is kept, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer<T> {
    /// The answer.
    pub answer: T,
    /// Billionths of a dollar, estimated where the provider says no tokens.
    pub charged_nanos: i64,
}

/// The answer to a request of a run, if it was answered before.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn find<T: DeserializeOwned>(
    connection: &mut PgConnection,
    run: RunId,
    request: RequestHash,
) -> Result<Option<StoredAnswer<T>>, StoreError> {
    let row = sqlx::query!(
        "SELECT answer, charged_nanos FROM model_answers WHERE bucket = $1 AND run_id = $2 AND request_hash = $3",
        run.bucket().as_i16(),
        run.as_uuid(),
        request.0.as_slice(),
    );
    let row = row.fetch_optional(connection).await.map_err(StoreError::database("look for an answer"))?;
    let Some(row) = row else { return Ok(None) };
    let answer = serde_json::from_value(row.answer);
    let answer =
        answer.map_err(|error| corrupt("model_answers", "answer", run.to_string(), error.to_string()))?;
    Ok(Some(StoredAnswer { answer, charged_nanos: row.charged_nanos }))
}

/// Keeps an answer. Of two to the same request the first stays.
///
/// # Errors
/// If the database is out of reach.
pub async fn keep<T: Serialize + Sync>(
    connection: &mut PgConnection,
    run: RunId,
    request: RequestHash,
    stored: &StoredAnswer<T>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO model_answers (bucket, run_id, request_hash, answer, charged_nanos, answered_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (bucket, run_id, request_hash) DO NOTHING",
        run.bucket().as_i16(),
        run.as_uuid(),
        request.0.as_slice(),
        Json(&stored.answer) as _,
        stored.charged_nanos,
        now,
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("keep an answer"))?;
    Ok(())
}

/// What a run's answers cost so far, in billionths of a dollar.
///
/// # Errors
/// If the database is out of reach.
pub async fn charged(connection: &mut PgConnection, run: RunId) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(sum(charged_nanos), 0)::bigint AS "charged!" FROM model_answers
           WHERE bucket = $1 AND run_id = $2"#,
        run.bucket().as_i16(),
        run.as_uuid(),
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("sum up a run's answers"))
}

/// Removes answers of one bucket that are kept no longer.
///
/// # Errors
/// If the database is out of reach.
pub async fn sweep(connection: &mut PgConnection, bucket: u8, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let swept = sqlx::query!(
        "DELETE FROM model_answers WHERE bucket = $1 AND (run_id, request_hash) IN (
             SELECT run_id, request_hash FROM model_answers WHERE bucket = $1 AND answered_at < $2 LIMIT $3
         )",
        i16::from(bucket),
        now - KEPT,
        SWEPT,
    );
    let swept = swept.execute(connection).await.map_err(StoreError::database("sweep answers"))?;
    Ok(swept.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_moves_between_the_parts_changes_the_hash() {
        assert_eq!(RequestHash::of(&["ab", "c"]), RequestHash::of(&["ab", "c"]));
        assert_ne!(RequestHash::of(&["ab", "c"]), RequestHash::of(&["a", "bc"]));
    }
}
