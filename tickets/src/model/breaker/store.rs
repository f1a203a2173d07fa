//! The rows of `model_breakers`. A change names the version it was made from; whoever comes second looks again.

use super::{Breaker, BreakerPolicy, Observation};
use crate::model::corrupt;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use ticketflow_engine::StoreError;

/// Looks that are taken before a change is given up: others change the row as fast as this one tries to.
const LOOKS: usize = 5;

/// A model and whether it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelBreaker {
    /// Name of the provider.
    pub provider: String,
    /// Name of the model.
    pub model: String,
    /// Whether it is asked.
    #[serde(flatten)]
    pub breaker: Breaker,
}

/// A breaker as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// What it is.
    pub breaker: Breaker,
    /// None: there is no row yet.
    version: Option<i64>,
}

struct Row {
    state: String,
    failures: i32,
    trips: i32,
    until: Option<DateTime<Utc>>,
}

impl Row {
    fn breaker(self, provider: &str, model: &str) -> Result<Breaker, StoreError> {
        let unsigned = |number: i32| u32::try_from(number).unwrap_or_default();
        let trips = unsigned(self.trips);
        match (self.state.as_str(), self.until) {
            ("closed", None) => Ok(Breaker::Closed { failures: unsigned(self.failures) }),
            ("open", Some(until)) => Ok(Breaker::Open { trips, until }),
            ("half_open", Some(until)) => Ok(Breaker::HalfOpen { trips, until }),
            _ => Err(corrupt(
                "model_breakers",
                "state",
                format!("{provider}/{model}"),
                format!("{:?} with {:?}", self.state, self.until),
            )),
        }
    }
}

/// The breaker of a model; closed if nothing was ever observed.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn load(connection: &mut PgConnection, provider: &str, model: &str) -> Result<Seen, StoreError> {
    let row = sqlx::query!(
        "SELECT state, failures, trips, until, version FROM model_breakers WHERE provider = $1 AND model = $2",
        provider,
        model,
    );
    let row = row.fetch_optional(connection).await.map_err(StoreError::database("read a breaker"))?;
    let Some(row) = row else { return Ok(Seen { breaker: Breaker::NEW, version: None }) };
    let version = Some(row.version);
    let row = Row { state: row.state, failures: row.failures, trips: row.trips, until: row.until };
    Ok(Seen { breaker: row.breaker(provider, model)?, version })
}

/// Every breaker, for people and metrics.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn all(connection: &mut PgConnection) -> Result<Vec<ModelBreaker>, StoreError> {
    let rows = sqlx::query!(
        "SELECT provider, model, state, failures, trips, until FROM model_breakers ORDER BY provider, model"
    );
    let rows = rows.fetch_all(connection).await.map_err(StoreError::database("read the breakers"))?;
    let breakers = rows.into_iter().map(|row| {
        let state = Row { state: row.state, failures: row.failures, trips: row.trips, until: row.until };
        let breaker = state.breaker(&row.provider, &row.model)?;
        Ok(ModelBreaker { provider: row.provider, model: row.model, breaker })
    });
    breakers.collect()
}

/// Moves a breaker to `half_open`, unless another process did. Returns whether this one may ask.
///
/// # Errors
/// If the database is out of reach.
pub async fn try_once(
    connection: &mut PgConnection,
    provider: &str,
    model: &str,
    seen: Seen,
    half_open: Breaker,
) -> Result<bool, StoreError> {
    replace(connection, provider, model, seen.version, half_open).await
}

/// Takes note of what became of a call. Returns the breaker before and after, if it changed.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn observe(
    connection: &mut PgConnection,
    provider: &str,
    model: &str,
    observation: Observation,
    now: DateTime<Utc>,
    policy: BreakerPolicy,
) -> Result<Option<(Breaker, Breaker)>, StoreError> {
    for _ in 0..LOOKS {
        let seen = load(connection, provider, model).await?;
        let after = seen.breaker.after(observation, now, policy);
        if after == seen.breaker && seen.version.is_some() {
            return Ok(None);
        }
        if replace(connection, provider, model, seen.version, after).await? {
            return Ok(Some((seen.breaker, after)));
        }
    }
    Ok(None)
}

async fn replace(
    connection: &mut PgConnection,
    provider: &str,
    model: &str,
    version: Option<i64>,
    breaker: Breaker,
) -> Result<bool, StoreError> {
    let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let (failures, trips, until) = match breaker {
        Breaker::Closed { failures } => (signed(failures), 0, None),
        Breaker::Open { trips, until } | Breaker::HalfOpen { trips, until } => {
            (0, signed(trips), Some(until))
        }
    };
    let moved = match version {
        Some(version) => {
            sqlx::query!(
                "UPDATE model_breakers
             SET state = $4, failures = $5, trips = $6, until = $7, version = version + 1
             WHERE provider = $1 AND model = $2 AND version = $3",
                provider,
                model,
                version,
                breaker.word(),
                failures,
                trips,
                until,
            )
            .execute(connection)
            .await
        }
        None => {
            sqlx::query!(
                "INSERT INTO model_breakers (provider, model, state, failures, trips, until, version)
             VALUES ($1, $2, $3, $4, $5, $6, 1) ON CONFLICT (provider, model) DO NOTHING",
                provider,
                model,
                breaker.word(),
                failures,
                trips,
                until,
            )
            .execute(connection)
            .await
        }
    };
    let moved = moved.map_err(StoreError::database("move a breaker"))?;
    Ok(moved.rows_affected() == 1)
}
