//! The demo's worker processes: real ones, so that one of them can really die.

use super::{LEASE, PACE};
use crate::config::Config;
use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    process::Stdio,
    time::{Duration, Instant},
};
use ticketflow_engine::{Client, store::lease};
use tokio::process::{Child, Command};

pub(super) struct Workers {
    children: Vec<Child>,
}

impl Workers {
    pub(super) fn start(count: usize, database_url: &str, config: &Config) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let children = (0..count).map(|_| {
            let mut command = Command::new(&program);
            command
                .arg("worker")
                .args(["--pace", &humantime::format_duration(PACE).to_string()])
                .args(["--lease", &humantime::format_duration(LEASE).to_string()])
                .args(["--capacity", "8"])
                // The URL carries a password: it goes through the environment, which other users cannot read.
                .env("DATABASE_URL", database_url)
                .env("TICKETFLOW_LOG", config.args.log.as_deref().unwrap_or("error"))
                .stdin(Stdio::null())
                // Ctrl-C in the terminal is for this process, which stops them.
                .process_group(0)
                .kill_on_drop(true);
            if let Some(path) = &config.args.config {
                command.arg("--config").arg(path);
            }
            command.spawn().context("cannot start a worker process")
        });
        Ok(Self { children: children.collect::<anyhow::Result<_>>()? })
    }

    /// Waits until every process has registered.
    pub(super) async fn ready(&self, client: &Client, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        loop {
            let mut connection = client.pool().acquire().await?;
            let alive = lease::list(&mut connection).await?;
            if self.pids().all(|pid| alive.iter().any(|worker| worker.alive && is_of(&worker.name, pid))) {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < until, "the worker processes did not register");
            drop(connection);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills the process with this name, as the kernel would: no farewell.
    pub(super) async fn kill(&mut self, name: &str) -> anyhow::Result<u32> {
        for child in &mut self.children {
            if let Some(pid) = child.id().filter(|pid| is_of(name, *pid)) {
                child.kill().await.context("cannot kill a worker")?;
                return Ok(pid);
            }
        }
        anyhow::bail!("worker {name} is not one of this demo's")
    }

    pub(super) fn is_own(&self, name: &str) -> bool {
        self.pids().any(|pid| is_of(name, pid))
    }

    /// Stops the processes gracefully.
    pub(super) async fn stop(mut self) {
        for child in &mut self.children {
            let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
            if let Some(pid) = pid
                && kill_process(pid, Signal::TERM).is_ok()
                && let Err(error) = child.wait().await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "a worker did not stop");
            }
        }
    }

    fn pids(&self) -> impl Iterator<Item = u32> {
        self.children.iter().filter_map(Child::id)
    }
}

/// A worker's name ends in its process id.
fn is_of(name: &str, pid: u32) -> bool {
    name.ends_with(&format!("-{pid}"))
}
