//! One running server process: started as a child, or adopted from an owner that died. Ends it in the end: by
//! [`Server::stop`], or by a signal alone if it is dropped without.

use super::{
    cluster::Cluster,
    endpoint::Endpoint,
    error::EmbeddedError,
    layout::Layout,
    postmaster::{self, Postmaster},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{fs::File, path::PathBuf, time::Duration};
use tokio::process::Child;

/// Each way to stop and how long it is given: let clients finish, cut them off, do without a last checkpoint.
const ESCALATION: [(Signal, Duration); 3] = [
    (Signal::TERM, Duration::from_secs(1)),
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(10)),
];

/// How often a server that is not a child is looked at.
const POLL: Duration = Duration::from_millis(200);

/// A server process and the right to end it.
#[derive(Debug)]
pub(super) struct Server {
    pid: Pid,
    pgdata: PathBuf,
    /// None if adopted: then it cannot be waited for, only looked at.
    child: Option<Child>,
    gone: bool,
}

impl Server {
    /// Starts the server; it is not ready yet. In a process group of its own, so that Ctrl-C reaches it only through
    /// us, after what uses it. To be called only when no server runs.
    pub(super) fn spawn(cluster: &Cluster, endpoint: &Endpoint) -> Result<Self, EmbeddedError> {
        let (pgdata, program) = (cluster.layout.pgdata(), cluster.binaries.postgres());
        endpoint.prepare(&cluster.user)?;
        postmaster::disown_stale(&pgdata).map_err(EmbeddedError::preparing(&pgdata))?;
        let (stdout, stderr) = startup_log(&cluster.layout)?;
        let failed = |source| EmbeddedError::RunProgram { program: program.clone(), source };
        let child = cluster
            .user
            .command(&program)
            .arg("-D")
            .arg(&pgdata)
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        Ok(Self { pid, pgdata, child: Some(child), gone: false })
    }

    /// Takes over a server nobody owns any more.
    pub(super) fn adopt(cluster: &Cluster, running: &Postmaster) -> Self {
        Self { pid: running.pid, pgdata: cluster.layout.pgdata(), child: None, gone: false }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns when the process has ended, also if it ended long ago.
    pub(super) async fn exited(&mut self) {
        match &mut self.child {
            Some(child) => {
                if let Err(error) = child.wait().await {
                    tracing::warn!(postgres.pid = self.pid(), %error, "lost sight of the database server");
                }
            }
            None => {
                while postmaster::serves(self.pid, &self.pgdata) {
                    tokio::time::sleep(POLL).await;
                }
            }
        }
        self.gone = true;
    }

    /// Stops the server and waits until it is gone, more forcefully as time passes. No way of these loses a commit.
    pub(super) async fn stop(&mut self) -> Result<(), EmbeddedError> {
        for (signal, limit) in ESCALATION {
            self.signal(signal);
            if tokio::time::timeout(limit, self.exited()).await.is_ok() {
                return Ok(());
            }
        }
        Err(EmbeddedError::StopServer { pid: self.pid() })
    }

    /// Signals the process if it is still the server: its id may be another's by now.
    fn signal(&self, signal: Signal) {
        if self.gone || !(self.child.is_some() || postmaster::serves(self.pid, &self.pgdata)) {
            return;
        }
        if let Err(error) = kill_process(self.pid, signal) {
            tracing::debug!(postgres.pid = self.pid(), %error, "the database server has ended already");
        }
    }
}

/// Emptied, and appended to: what lives on of a killed server may still be writing.
fn startup_log(layout: &Layout) -> Result<(File, File), EmbeddedError> {
    let path = layout.startup_log();
    let open = || {
        let log = File::options().append(true).create(true).open(&path)?;
        log.set_len(0)?;
        Ok((log.try_clone()?, log))
    };
    open().map_err(EmbeddedError::preparing(&path))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}
