//! From a cluster to a server that answers: the one that runs already, if its owner is gone and it is as wanted, else
//! a new one.

use super::{
    cluster::Cluster,
    endpoint::Endpoint,
    error::EmbeddedError,
    postmaster::{Postmaster, State},
    ready,
    server::Server,
    settings,
};
use std::time::{Duration, Instant};

/// Recovery after a crash replays at most what `max_wal_size` holds; that takes a slow disk minutes.
const START_LIMIT: Duration = Duration::from_mins(5);

/// A server found running and ready answers at once, or its socket is gone and it must be restarted.
const ADOPTION_LIMIT: Duration = Duration::from_secs(10);

/// Between two looks at whether the backends of a killed server have ended.
const LINGER_PAUSE: Duration = Duration::from_millis(250);

/// A server that answers: the one that runs, if its settings are the wanted ones, else a new one.
pub(super) async fn start(
    cluster: &Cluster,
    chosen: &[(String, String)],
) -> Result<(Endpoint, Server), EmbeddedError> {
    let running = Postmaster::running(&cluster.layout.pgdata());
    let endpoint = Endpoint::choose(&cluster.layout, &cluster.user)?;
    let changed = settings::write(&cluster.layout, &endpoint, cluster.wal_compression().await, chosen)?;
    if let Some(running) = running
        && let Some(server) = adopt(cluster, &running, &endpoint, changed).await?
    {
        return Ok((endpoint, server));
    }
    let mut server = Server::spawn(cluster, &endpoint)?;
    settle(&mut server, cluster, &endpoint).await?;
    Ok((endpoint, server))
}

/// Waits until `server`, just started, answers. A killed server's backends end when they have finished what they were
/// at; until then PostgreSQL refuses to start a second server on their memory, and it is started again here.
pub(super) async fn settle(
    server: &mut Server,
    cluster: &Cluster,
    endpoint: &Endpoint,
) -> Result<(), EmbeddedError> {
    let started = Instant::now();
    loop {
        match ready::wait(server, endpoint, &cluster.layout, START_LIMIT).await {
            Err(EmbeddedError::StartServer { log }) if lingers(&log) && started.elapsed() < START_LIMIT => {
                tracing::debug!("waiting for the backends of a killed server to end");
                tokio::time::sleep(LINGER_PAUSE).await;
                *server = Server::spawn(cluster, endpoint)?;
            }
            settled => return settled,
        }
    }
}

fn lingers(log: &str) -> bool {
    log.contains("pre-existing shared memory block")
}

/// Takes over the server `running`; stops it instead if it was not started with these settings (the endpoint is one of
/// them), is on its way out, or cannot be reached.
async fn adopt(
    cluster: &Cluster,
    running: &Postmaster,
    endpoint: &Endpoint,
    changed: bool,
) -> Result<Option<Server>, EmbeddedError> {
    let mut server = Server::adopt(cluster, running);
    let limit = match running.state {
        State::Ready => ADOPTION_LIMIT,
        State::Starting => START_LIMIT,
        State::Stopping => Duration::ZERO,
    };
    if !changed && ready::wait(&mut server, endpoint, &cluster.layout, limit).await.is_ok() {
        tracing::info!(postgres.pid = server.pid(), "took over the server an earlier run left");
        return Ok(Some(server));
    }
    server.stop().await?;
    Ok(None)
}
