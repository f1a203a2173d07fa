//! The embedded default: where the user names no database, a private PostgreSQL is found, initialised, started, kept
//! alive and stopped for them. Everything it has lies in one data directory; one process at a time owns that.
//!
//! A server outlives an owner that is killed, and the next owner takes it over. Unix only.
//!
//! ```ignore
//! let postgres = EmbeddedPostgres::start(options).await?;
//! tokio::join!(postgres.supervise(shutdown.clone()), serve(postgres.database_url(), shutdown));
//! postgres.stop().await?;
//! ```

mod advice;
mod binaries;
mod cluster;
mod download;
mod endpoint;
mod error;
mod launch;
mod layout;
mod lock;
mod log_tail;
mod postmaster;
mod ready;
mod server;
mod settings;
mod supervise;
#[cfg(test)]
mod tests;
mod user;

pub(crate) use error::EmbeddedError;

use binaries::Places;
use cluster::Cluster;
use download::Source;
use endpoint::Endpoint;
use layout::Layout;
use lock::DataDirLock;
use postmaster::{Postmaster, State};
use server::Server;
use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::sync::Mutex;

/// What the user may choose.
#[derive(Debug, Clone, Default)]
pub(crate) struct EmbeddedOptions {
    /// Else the user's default: `/var/lib/ticketflow` for root, `$XDG_DATA_HOME/ticketflow` for others.
    pub(crate) data_dir: Option<PathBuf>,
    /// Whether PostgreSQL may be downloaded if it is not installed.
    pub(crate) download: bool,
    /// Server settings that override the defaults.
    pub(crate) settings: Vec<(String, String)>,
}

/// A private PostgreSQL server this process owns. Ended by [`EmbeddedPostgres::stop`]; if dropped without, the server
/// is told to shut down, but nobody waits for it.
#[derive(Debug)]
pub(crate) struct EmbeddedPostgres {
    database_url: String,
    endpoint: Endpoint,
    pid: AtomicU32,
    /// Locked by [`EmbeddedPostgres::supervise`] for as long as that runs.
    server: Mutex<Server>,
    cluster: Cluster,
    /// Released last, when the server has been told to go.
    _lock: DataDirLock,
}

impl EmbeddedPostgres {
    /// Starts the server, or takes over the one an earlier owner left running, and waits until it answers. May be
    /// cancelled at any time: nothing half-done is mistaken for a database, and a server just started shuts down.
    pub(crate) async fn start(options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        let layout = Layout::create(options.data_dir)?;
        let places = Places::of_system(&layout.downloads());
        let source = options.download.then(Source::default);
        Self::start_in(layout, &places, source.as_ref(), &options.settings).await
    }

    async fn start_in(
        layout: Layout,
        places: &Places,
        source: Option<&Source>,
        chosen: &[(String, String)],
    ) -> Result<Self, EmbeddedError> {
        let lock = DataDirLock::acquire(&layout)?;
        let cluster = Cluster::open(layout, places, source).await?;
        let (endpoint, server) = launch::start(&cluster, chosen).await?;
        ready::create_database(&endpoint).await?;
        tracing::info!(
            postgres.pid = server.pid(),
            postgres.version = cluster.binaries.major,
            postgres.data_dir = %cluster.layout.base().display(),
            "the embedded database is ready"
        );
        Ok(Self {
            database_url: endpoint.url(endpoint::NAME),
            endpoint,
            pid: AtomicU32::new(server.pid()),
            server: Mutex::new(server),
            cluster,
            _lock: lock,
        })
    }

    /// The database of a server that another process runs on this data directory, for commands that only use it.
    pub(crate) fn running(data_dir: Option<PathBuf>) -> Result<Option<String>, EmbeddedError> {
        let layout = Layout::locate(data_dir)?;
        let Some(server) = Postmaster::running(&layout.pgdata()).filter(|found| found.state == State::Ready)
        else {
            return Ok(None);
        };
        Ok(Some(Endpoint::of(&server, &layout)?.url(endpoint::NAME)))
    }

    /// Whether there is a cluster in this data directory, running or at rest.
    pub(crate) fn exists(data_dir: Option<PathBuf>) -> Result<bool, EmbeddedError> {
        Ok(cluster::version(&Layout::locate(data_dir)?.pgdata())?.is_some())
    }

    /// The data directory that is meant, whether it exists or not.
    pub(crate) fn directory(data_dir: Option<PathBuf>) -> Result<PathBuf, EmbeddedError> {
        Ok(Layout::locate(data_dir)?.base().to_owned())
    }

    /// Where a demonstration keeps its data: beside the user's default directory, not in it.
    pub(crate) fn demo_dir() -> Option<PathBuf> {
        layout::demo_dir()
    }

    /// The database `ticketflow`; stays the same over restarts of the server.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Everything of this server lies here.
    #[cfg(test)]
    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.cluster.layout.base()
    }

    /// The server's process, which changes when it is restarted.
    #[cfg(test)]
    pub(crate) fn server_pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    fn publish(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// Stops the server and waits until it is gone. Close the connections first: open ones cost a second's grace.
    pub(crate) async fn stop(self) -> Result<(), EmbeddedError> {
        self.server.lock().await.stop().await
    }
}
