//! What is known about the models that the steps ask, for the deep health check and for Prometheus.

use crate::{metrics, problem::Problem, state::ApiState};
use ticketflow_tickets::model::breaker::{self, ModelBreaker};

/// Every model that was ever asked, and whether it is asked now.
pub(crate) async fn breakers(state: &ApiState) -> Result<Vec<ModelBreaker>, Problem> {
    let mut connection = state.connection().await?;
    Ok(breaker::all(&mut connection).await?)
}

/// Sets the gauges that tell which models are not asked.
pub(crate) fn show(breakers: &[ModelBreaker]) {
    for found in breakers {
        metrics::model_breaker(found.provider.clone(), found.model.clone(), found.breaker);
    }
}
