//! Counts over the table `tickets`.

use crate::model::dollars;
use chrono::TimeDelta;
use serde::Serialize;
use sqlx::{PgConnection, postgres::types::PgInterval};
use std::collections::BTreeMap;
use ticketflow_engine::StoreError;

/// Counts over all tickets.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TicketStats {
    /// All tickets.
    pub total: i64,
    /// By status.
    pub by_status: BTreeMap<String, i64>,
    /// By category; not yet classified tickets are left out.
    pub by_category: BTreeMap<String, i64>,
    /// By priority; not yet classified tickets are left out.
    pub by_priority: BTreeMap<String, i64>,
    /// Tickets of which some step was done by the offline rules in place of the provider of choice.
    pub fallbacks: i64,
    /// Tokens read by models.
    pub tokens_input: i64,
    /// Tokens written by models.
    pub tokens_output: i64,
    /// Cost of all model calls, in US dollars.
    pub cost: f64,
    /// How people's replies compare with the drafts, by category; tickets whose reply no person approved are left out.
    pub replies: BTreeMap<String, Replies>,
    /// How long triage took, for the tickets of the last day.
    pub latency: Option<Latency>,
}

/// Replies that a person approved, compared with the drafts they were made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Replies {
    /// How many.
    pub approved: i64,
    /// Share of them that were sent as they had been drafted, from 0 to 1.
    pub unchanged_share: f64,
    /// Mean of their distances from the drafts: see [`Rewrite`](crate::triage::Rewrite).
    pub mean_edit_distance: f64,
}

/// Seconds from submission to the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half took no longer.
    pub p50_seconds: f64,
    /// 95 of 100 took no longer.
    pub p95_seconds: f64,
}

/// Counts by status, category and priority, in one pass.
///
/// # Errors
/// If the database is out of reach.
pub async fn stats(connection: &mut PgConnection) -> Result<TicketStats, StoreError> {
    // Summed up here: Citus has no grouping sets over shards, and there are few groups.
    let rows = sqlx::query!(
        r#"SELECT status, category, priority, count(*) AS "count!", count(*) FILTER (WHERE ai_fallback) AS "fallbacks!",
                  coalesce(sum(tokens_input), 0)::bigint AS "tokens_input!",
                  coalesce(sum(tokens_output), 0)::bigint AS "tokens_output!",
                  coalesce(sum(cost_nanos), 0)::bigint AS "cost_nanos!", count(edit_distance) AS "approved!",
                  count(*) FILTER (WHERE edit_distance = 0) AS "unchanged!",
                  coalesce(sum(edit_distance), 0) AS "distance!"
           FROM tickets GROUP BY status, category, priority"#,
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(StoreError::database("count tickets"))?;
    let mut stats = TicketStats { latency: latency(connection).await?, ..TicketStats::default() };
    let (mut cost_nanos, mut replies) = (0, BTreeMap::<String, (i64, i64, f64)>::new());
    for row in rows {
        stats.total += row.count;
        stats.fallbacks += row.fallbacks;
        stats.tokens_input += row.tokens_input;
        stats.tokens_output += row.tokens_output;
        cost_nanos += row.cost_nanos;
        if let Some(category) = row.category.clone().filter(|_| row.approved > 0) {
            let (approved, unchanged, distance) = replies.entry(category).or_default();
            *approved += row.approved;
            *unchanged += row.unchanged;
            *distance += row.distance;
        }
        *stats.by_status.entry(row.status).or_default() += row.count;
        row.category.into_iter().for_each(|word| *stats.by_category.entry(word).or_default() += row.count);
        row.priority.into_iter().for_each(|word| *stats.by_priority.entry(word).or_default() += row.count);
    }
    stats.cost = dollars(cost_nanos);
    stats.replies = replies.into_iter().map(|(category, sums)| (category, compared(sums))).collect();
    Ok(stats)
}

/// Shares and means of replies of which `unchanged` are the drafts, and whose distances add up to `distance`.
#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^52")]
fn compared((approved, unchanged, distance): (i64, i64, f64)) -> Replies {
    let all = approved as f64;
    Replies { approved, unchanged_share: unchanged as f64 / all, mean_edit_distance: distance / all }
}

async fn latency(connection: &mut PgConnection) -> Result<Option<Latency>, StoreError> {
    let day = PgInterval::try_from(TimeDelta::days(1)).unwrap_or_default();
    let row = sqlx::query!(
        r#"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
                  percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95
           FROM (
               SELECT extract(epoch FROM completed_at - created_at)::float8 AS seconds FROM tickets
               WHERE created_at > engine_now() - $1::interval AND status = 'completed'
               ORDER BY created_at DESC LIMIT 10000
           ) AS recent"#,
        day,
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("measure how long tickets take"))?;
    Ok(row.p50.zip(row.p95).map(|(p50_seconds, p95_seconds)| Latency { p50_seconds, p95_seconds }))
}

/// Tickets that wait for a person's decision.
///
/// # Errors
/// If the database is out of reach.
pub async fn awaiting_approval(connection: &mut PgConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM approvals WHERE status = 'pending'"#)
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("count open approvals"))
}
