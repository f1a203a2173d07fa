//! What can go wrong between "no `DATABASE_URL`" and a ready server. Each message ends with what to do about it.

use std::{io, path::PathBuf, time::Duration};

/// Why the embedded PostgreSQL could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddedError {
    #[error("no home directory to keep the database in: set TICKETFLOW_DATA_DIR to a directory")]
    LocateDataDir,

    #[error(
        "cannot use {path}: check its permissions and free space, or set TICKETFLOW_DATA_DIR to another directory"
    )]
    PrepareDataDir { path: PathBuf, source: io::Error },

    #[error(
        "{path} is not a database ticketflow can read: restore it, or set TICKETFLOW_DATA_DIR to another directory"
    )]
    ReadCluster { path: PathBuf },

    #[error(
        "{dir} is in use by {}: stop that one first, or set TICKETFLOW_DATA_DIR to another directory",
        owner(*pid)
    )]
    LockDataDir { dir: PathBuf, pid: Option<u32> },

    #[error(
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as: \
         start ticketflow as an ordinary user, or create one with: useradd --system postgres"
    )]
    FindServerUser,

    #[error(
        "{path} belongs to user id {owner}, as whom the server cannot be run from here: \
         start ticketflow as that user, or run: sudo chown -R {wanted} {path}"
    )]
    OwnCluster { path: PathBuf, owner: u32, wanted: String },

    #[error(
        "PostgreSQL runs as user `{user}`, who may not enter {directory}: set TICKETFLOW_DATA_DIR to a directory that \
         user can reach, or run: chmod o+x {directory}"
    )]
    ReachDataDir { directory: PathBuf, user: String },

    #[error("PostgreSQL was not found. {advice}")]
    FindBinaries { advice: String },

    #[error("PostgreSQL was not found and could not be downloaded. {advice}")]
    DownloadBinaries { advice: String, source: Box<dyn std::error::Error + Send + Sync> },

    #[error("the database in {path} needs PostgreSQL {wanted}, but only {found} is installed. {advice}")]
    MatchVersion { path: PathBuf, wanted: u32, found: String, advice: String },

    #[error(
        "cannot run {program}: check that it is installed completely and that the server's user may run it"
    )]
    RunProgram { program: PathBuf, source: io::Error },

    #[error(
        "initdb could not create a database in {path}: remove what it complains of and start again\n{output}"
    )]
    InitializeCluster { path: PathBuf, output: String },

    #[error("`{name}` is not the name of a PostgreSQL setting: correct or remove it")]
    WriteSettings { name: String },

    #[error("the PostgreSQL server did not start: correct what its log complains of and start again\n{log}")]
    StartServer { log: String },

    #[error(
        "the PostgreSQL server was not ready within {limit:?}: start again once its log shows it has recovered\n{log}"
    )]
    AwaitServer { limit: Duration, log: String },

    #[error("the PostgreSQL server refused a connection: correct what it complains of and start again")]
    ConnectServer { source: sqlx::Error },

    #[error(
        "the database `ticketflow` could not be created: correct what the server complains of and start again"
    )]
    CreateDatabase { source: sqlx::Error },

    #[error(
        "the PostgreSQL server (pid {pid}) did not stop: its data is safe; end it with: kill -QUIT {pid}"
    )]
    StopServer { pid: u32 },
}

impl EmbeddedError {
    /// Names the path an operation failed at.
    pub(super) fn preparing(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::PrepareDataDir { path, source }
    }
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another ticketflow".to_owned(), |pid| format!("another ticketflow (pid {pid})"))
}
