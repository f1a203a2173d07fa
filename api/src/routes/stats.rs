//! What the tickets add up to.

use crate::{problem::Problem, state::ApiState};
use axum::{Json, extract::State};
use serde::Serialize;
use ticketflow_tickets::{
    model::{ModelStats, usage},
    ticket::{self, TicketStats},
};

/// Counts and rates on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    #[serde(flatten)]
    counts: TicketStats,
    awaiting_approval: i64,
    /// Share of the classified tickets that no fallback was needed for; null while there are none.
    ai_success_rate: Option<f64>,
    /// Share of the classified tickets of which some step fell back to the offline rules.
    ai_fallback_rate: Option<f64>,
    /// What each prompt was worth with each model; empty as long as none was asked.
    prompts: Vec<ModelStats>,
}

/// `GET /stats`
pub(crate) async fn stats(State(state): State<ApiState>) -> Result<Json<Stats>, Problem> {
    let mut connection = state.connection().await?;
    let counts = ticket::stats(&mut connection).await?;
    let awaiting_approval = ticket::awaiting_approval(&mut connection).await?;
    let prompts = usage::stats(&mut connection).await?;
    let ai_fallback_rate = fallback_rate(&counts);
    let ai_success_rate = ai_fallback_rate.map(|rate| 1.0 - rate);
    Ok(Json(Stats { counts, awaiting_approval, ai_success_rate, ai_fallback_rate, prompts }))
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows stay far below 2^52")]
fn fallback_rate(counts: &TicketStats) -> Option<f64> {
    let classified: i64 = counts.by_category.values().sum();
    (classified > 0).then(|| (counts.fallbacks as f64 / classified as f64).min(1.0))
}
