//! Recognises a pooler in transaction mode that the configuration does not know of.
//!
//! Mixed up there, a statement's parameters may reach another client's statement. So this is asked before anything else
//! is, in a way that cannot be mixed up itself.

use crate::exit::Exit;
use sqlx::{Connection, PgConnection, Row, postgres::PgConnectOptions};
use ticketflow_engine::{error::is_mixed_up, pooler::Pooler};

const SET_POOLER: &str = "a pooler in transaction mode stands before the database: set pooler of [database] (or \
                          TICKETFLOW_POOLER) to \"transaction\", or to \"prepared\" if it follows prepared statements \
                          (PgBouncer 1.21 or newer with max_prepared_statements above 0)";
const NOT_FOLLOWED: &str = "the pooler does not follow prepared statements: set pooler of [database] (or TICKETFLOW_POOLER) to \
     \"transaction\", or max_prepared_statements of PgBouncer (1.21 or newer) to 200";

/// Refuses a pooler that is not what the configuration says. `first` is a connection made with `options`.
pub(super) async fn check(
    pooler: Pooler,
    first: &mut PgConnection,
    options: &PgConnectOptions,
) -> anyhow::Result<()> {
    let shared = async {
        match pooler {
            Pooler::None => {
                let mut second = PgConnection::connect_with(options).await?;
                let shared = process(first).await? == process(&mut second).await?;
                second.close().await?;
                Ok(shared.then_some(SET_POOLER))
            }
            Pooler::Prepared => {
                let mut second = PgConnection::connect_with(options).await?;
                let followed = match prepare(first).await {
                    Ok(()) => prepare(&mut second).await,
                    Err(error) => Err(error),
                };
                match followed {
                    Ok(()) => Ok(None),
                    Err(error) if is_mixed_up(&error) => Ok(Some(NOT_FOLLOWED)),
                    Err(error) => Err(error),
                }
            }
            Pooler::Transaction => Ok(None),
        }
    };
    match shared.await {
        Ok(None) => Ok(()),
        Ok(Some(problem)) => Err(Exit::Usage.with(problem)),
        Err(error) => Err(super::unreachable(&error)),
    }
}

/// What a connection's refusal tells about a pooler.
pub(super) fn advice(error: &sqlx::Error) -> Option<&'static str> {
    let refused = matches!(error, sqlx::Error::Database(error) if error.message().contains("unsupported startup parameter"));
    refused.then_some(SET_POOLER)
}

/// The server's process behind a connection: that of two open ones is the same only where they share it.
async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT $1::integer").bind(1).execute(connection).await.map(drop)
}
