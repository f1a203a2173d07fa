//! The workers of a phase: in this process, or each in a process of its own.

use super::{phases::Bench, process, workload::Progress};
use crate::output::out;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{process::Stdio, time::Duration};
use ticketflow_engine::Client;
use ticketflow_worker::Shutdown;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, stdin},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
};

/// How often a process says how far it is, at most.
const REPORT_EVERY: Duration = Duration::from_millis(20);
const READY: &str = "READY";
const GO: &[u8] = b"go\n";

/// Where a phase's workers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// In this process, each with connections and wake-ups of its own.
    Within,
    /// Each in a process of its own.
    Processes,
}

/// Workers that stand ready, connected, and have not begun.
pub(super) enum Crew {
    Within(Vec<Client>),
    Processes(Vec<Process>),
}

/// Workers at work.
pub(super) enum Busy {
    Within { clients: Vec<Client>, tasks: Vec<JoinHandle<()>>, shutdown: Shutdown },
    Processes(Vec<Working>),
}

impl Crew {
    pub(super) async fn gather(bench: &Bench, place: Place, workers: usize) -> anyhow::Result<Self> {
        match place {
            Place::Within => {
                let mut clients = Vec::with_capacity(workers);
                for _ in 0..workers {
                    clients.push(bench.client().await?);
                }
                Ok(Self::Within(clients))
            }
            Place::Processes => {
                let started = (0..workers).map(|_| Process::start(bench));
                Ok(Self::Processes(futures::future::try_join_all(started).await?))
            }
        }
    }

    pub(super) async fn begin(self, bench: &Bench) -> anyhow::Result<Busy> {
        match self {
            Self::Within(clients) => {
                let shutdown = Shutdown::default();
                let numbered = clients.iter().enumerate();
                let tasks =
                    numbered.map(|(number, client)| bench.worker(client, number, &shutdown)).collect();
                Ok(Busy::Within { clients, tasks, shutdown })
            }
            Self::Processes(processes) => {
                let begun = processes.into_iter().map(|process| process.begin(&bench.progress));
                Ok(Busy::Processes(futures::future::try_join_all(begun).await?))
            }
        }
    }
}

impl Busy {
    /// Completes with an error once a process ends that was not told to.
    pub(super) async fn lost(&mut self) -> anyhow::Error {
        match self {
            Self::Within { .. } => std::future::pending().await,
            Self::Processes(processes) => {
                let ends = processes.iter_mut().map(|process| Box::pin(process.child.wait()));
                match futures::future::select_all(ends).await.0 {
                    Ok(status) => anyhow::anyhow!("a worker process of the benchmark ended with {status}"),
                    Err(error) => error.into(),
                }
            }
        }
    }

    /// Stops the workers and waits until their connections are closed.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Within { clients, tasks, shutdown } => {
                shutdown.request();
                futures::future::join_all(tasks).await;
                futures::future::join_all(clients.iter().map(|client| client.pool().close())).await;
            }
            Self::Processes(processes) => {
                futures::future::try_join_all(processes.into_iter().map(Working::stop)).await?;
            }
        }
        Ok(())
    }
}

/// A worker process that waits for the word to begin.
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    async fn start(bench: &Bench) -> anyhow::Result<Self> {
        let capacity = bench.capacity.to_string();
        let mut command = process::command(&bench.options, &["bench", "process", &capacity])?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a worker process")?;
        let input = child.stdin.take().context("a worker process has no standard input")?;
        let output = child.stdout.take().context("a worker process has no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let first = lines.next_line().await?;
        anyhow::ensure!(first.as_deref() == Some(READY), "a worker process did not start: it said {first:?}");
        Ok(Self { child, input, lines })
    }

    async fn begin(mut self, progress: &Progress) -> anyhow::Result<Working> {
        self.input.write_all(GO).await.context("a worker process does not listen")?;
        let (mut lines, progress) = (self.lines, progress.clone());
        let reader = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await? {
                progress.ended_elsewhere(line.parse().context("a worker process said no number")?);
            }
            anyhow::Ok(())
        });
        Ok(Working { child: self.child, input: self.input, reader })
    }
}

/// A worker process at work, whose progress is noted here.
pub(super) struct Working {
    child: Child,
    input: ChildStdin,
    reader: JoinHandle<anyhow::Result<()>>,
}

impl Working {
    async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.input);
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "a worker process of the benchmark ended with {status}");
        self.reader.await?
    }
}

/// What such a process does: it stands ready, begins at a line on its standard input, says how many more last steps were
/// run, and stops when the input ends. It asks the database nothing that a worker would not.
pub(super) async fn work(bench: &Bench) -> anyhow::Result<()> {
    let client = bench.client().await?;
    let mut input = BufReader::new(stdin()).lines();
    out(READY)?;
    if input.next_line().await?.is_none() {
        return Ok(());
    }
    let shutdown = Shutdown::default();
    let worker = bench.worker(&client, usize::try_from(std::process::id())?, &shutdown);
    let mut said = 0;
    loop {
        let more = async {
            bench.progress.reached(said + 1).await;
            tokio::time::sleep(REPORT_EVERY).await;
        };
        tokio::select! {
            _ = input.next_line() => break,
            () = more => {
                let last_steps = bench.progress.last_steps();
                out(&(last_steps - said).to_string())?;
                said = last_steps;
            }
        }
    }
    shutdown.request();
    worker.await?;
    client.pool().close().await;
    Ok(())
}
