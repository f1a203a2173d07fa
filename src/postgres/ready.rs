//! Waiting until a server answers, and making its database.

use super::{
    endpoint::{self, Endpoint},
    error::EmbeddedError,
    layout::Layout,
    log_tail,
    server::Server,
};
use sqlx::{Connection, PgConnection};
use std::time::Duration;

/// For one connection: a server that accepts and then says nothing is asked anew.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The server is starting, or shutting down: it will soon be ready, or gone.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// Returns when `server` answers at `endpoint`, or fails when it has ended or `limit` has passed.
pub(super) async fn wait(
    server: &mut Server,
    endpoint: &Endpoint,
    layout: &Layout,
    limit: Duration,
) -> Result<(), EmbeddedError> {
    let url = endpoint.url("postgres");
    let answered = tokio::select! {
        () = server.exited() => return Err(EmbeddedError::StartServer { log: log_tail::read(layout) }),
        answered = tokio::time::timeout(limit, answer(&url)) => answered,
    };
    answered.unwrap_or_else(|_| Err(EmbeddedError::AwaitServer { limit, log: log_tail::read(layout) }))
}

/// Connects until it succeeds, pausing longer from time to time.
async fn answer(url: &str) -> Result<(), EmbeddedError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match tokio::time::timeout(CONNECT_LIMIT, PgConnection::connect(url)).await {
            Ok(Ok(connection)) => {
                // It has answered; how the goodbye goes is of no interest.
                let _ = connection.close().await;
                return Ok(());
            }
            Ok(Err(source)) if !passes(&source) => return Err(EmbeddedError::ConnectServer { source }),
            Ok(Err(_)) | Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn passes(error: &sqlx::Error) -> bool {
    match error.as_database_error() {
        Some(refusal) => refusal.code().is_some_and(|code| code == CANNOT_CONNECT_NOW),
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_)),
    }
}

/// Creates the database if it is missing.
pub(super) async fn create_database(endpoint: &Endpoint) -> Result<(), EmbeddedError> {
    let create = async {
        let mut connection = PgConnection::connect(&endpoint.url("postgres")).await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(endpoint::NAME)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            sqlx::query("CREATE DATABASE ticketflow").execute(&mut connection).await?;
        }
        connection.close().await
    };
    create.await.map_err(|source| EmbeddedError::CreateDatabase { source })
}
