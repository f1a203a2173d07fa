//! What was asked and paid, by day: the table `model_usage`.

use super::{count, dollars};
use crate::triage::Tokens;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use ticketflow_engine::StoreError;

/// Which model was asked, with which prompt.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Name of the provider.
    pub provider: &'a str,
    /// Name of the model.
    pub model: &'a str,
    /// Prompt and hash of its text.
    pub prompt: &'a str,
}

/// What is added to a day's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests that left.
    pub calls: u32,
    /// Of those, the ones without an answer.
    pub failures: u32,
    /// Results made from the first answer.
    pub accepted: u32,
    /// Results made from a second answer.
    pub repaired: u32,
    /// Results that the offline rules made.
    pub fallbacks: u32,
    /// Tokens used, as far as known.
    pub tokens: Tokens,
    /// Cost in billionths of a dollar, estimated where no tokens are known.
    pub charged_nanos: i64,
    /// How long the calls took, in milliseconds.
    pub latency_ms: u64,
}

/// What a prompt was worth with a model, over all days.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelStats {
    /// Name of the provider.
    pub provider: String,
    /// Name of the model.
    pub model: String,
    /// Prompt and hash of its text; `.b` before the `@` marks the second variant.
    pub prompt: String,
    /// Requests that left.
    pub calls: i64,
    /// Of those, the ones without an answer.
    pub failures: i64,
    /// Results made from the first answer.
    pub accepted: i64,
    /// Results made from a second answer, after the error in the first was named.
    pub repaired: i64,
    /// Results that the offline rules made.
    pub fallbacks: i64,
    /// Tokens read.
    pub tokens_input: i64,
    /// Tokens written.
    pub tokens_output: i64,
    /// Of those read, the ones that the provider had cached.
    pub tokens_cached: i64,
    /// Cost in US dollars, estimated where no tokens are known.
    pub cost: f64,
    /// Mean time of a call, in milliseconds; none without calls.
    pub mean_latency_ms: Option<i64>,
}

/// Adds to the counts of the day of `now`.
///
/// # Errors
/// If the database is out of reach.
pub async fn add(
    connection: &mut PgConnection,
    asked: Asked<'_>,
    usage: Usage,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query_file!(
        "src/model/add_usage.sql",
        day(now),
        asked.provider,
        asked.model,
        asked.prompt,
        i64::from(usage.calls),
        i64::from(usage.failures),
        i64::from(usage.accepted),
        i64::from(usage.repaired),
        i64::from(usage.fallbacks),
        count(usage.tokens.input),
        count(usage.tokens.output),
        count(usage.tokens.cached.unwrap_or_default()),
        usage.charged_nanos,
        count(usage.latency_ms),
    )
    .execute(connection)
    .await
    .map_err(StoreError::database("add to the usage of models"))?;
    Ok(())
}

/// What a provider was paid on the day of `now`, in billionths of a dollar.
///
/// # Errors
/// If the database is out of reach.
pub async fn charged(
    connection: &mut PgConnection,
    provider: &str,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(sum(charged_nanos), 0)::bigint AS "charged!" FROM model_usage
           WHERE day = $1 AND provider = $2"#,
        day(now),
        provider,
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("sum up a day's usage of models"))
}

/// What each prompt was worth with each model, over all days.
///
/// # Errors
/// If the database is out of reach.
pub async fn stats(connection: &mut PgConnection) -> Result<Vec<ModelStats>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT provider, model, prompt, sum(calls)::bigint AS "calls!", sum(failures)::bigint AS "failures!",
                  sum(accepted)::bigint AS "accepted!", sum(repaired)::bigint AS "repaired!",
                  sum(fallbacks)::bigint AS "fallbacks!", sum(tokens_input)::bigint AS "tokens_input!",
                  sum(tokens_output)::bigint AS "tokens_output!", sum(tokens_cached)::bigint AS "tokens_cached!",
                  sum(charged_nanos)::bigint AS "charged_nanos!", sum(latency_ms)::bigint AS "latency_ms!"
           FROM model_usage GROUP BY provider, model, prompt ORDER BY provider, model, prompt"#,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read the usage of models"))?;
    let stats = rows.into_iter().map(|row| ModelStats {
        provider: row.provider,
        model: row.model,
        prompt: row.prompt,
        calls: row.calls,
        failures: row.failures,
        accepted: row.accepted,
        repaired: row.repaired,
        fallbacks: row.fallbacks,
        tokens_input: row.tokens_input,
        tokens_output: row.tokens_output,
        tokens_cached: row.tokens_cached,
        cost: dollars(row.charged_nanos),
        mean_latency_ms: (row.calls > 0).then(|| row.latency_ms / row.calls),
    });
    Ok(stats.collect())
}

fn day(now: DateTime<Utc>) -> NaiveDate {
    now.date_naive()
}
