//! Which of several hosts takes writes, and pools that go there.
//!
//! Where the URL names several hosts, a task keeps asking the one in use, on a connection of its own. Once that does not
//! answer, or has become a standby, the hosts are tried in turn. The first that takes writes is where new connections
//! go; those of before are closed when they come back. A URL of one host needs none of this.

use sqlx::{Connection, PgConnection, PgPool, Row, postgres::PgConnectOptions};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use ticketflow_engine::{clock::random_fraction, retry::RECONNECT};
use tokio::sync::watch;

/// How often the host in use is asked whether it still takes writes.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for a host's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Of a server that replays another's log, or was told to take no writes.
const TAKES_WRITES: &str =
    "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean";

/// The host that takes writes, as far as is known; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Primary {
    hosts: Arc<[PgConnectOptions]>,
    chosen: watch::Receiver<Chosen>,
}

#[derive(Debug, Clone, Copy)]
struct Chosen {
    /// Its place among the hosts.
    host: usize,
    since: Instant,
}

impl Primary {
    /// Follows the primary, which by now is the host at this place.
    pub(super) fn follow(hosts: Vec<PgConnectOptions>, host: usize) -> Self {
        let hosts: Arc<[PgConnectOptions]> = hosts.into();
        let (sender, chosen) = watch::channel(Chosen { host, since: Instant::now() });
        if hosts.len() > 1 {
            tokio::spawn(watch(hosts.clone(), sender));
        }
        Self { hosts, chosen }
    }

    /// How to connect to it.
    pub(super) fn options(&self) -> PgConnectOptions {
        self.hosts[self.chosen.borrow().host].clone()
    }

    /// Whether a connection of some age goes to another host.
    pub(super) fn outdates(&self) -> impl Fn(Duration) -> bool + Send + Sync + use<> {
        let chosen = self.chosen.clone();
        move |age| age > chosen.borrow().since.elapsed()
    }

    /// Lets the pool's new connections go to it, wherever it moves.
    pub(super) fn guide(&self, pool: &PgPool) {
        if self.hosts.len() == 1 {
            return;
        }
        let (mut primary, pool) = (self.clone(), pool.clone());
        tokio::spawn(async move {
            let closed = pool.close_event();
            let mut closed = std::pin::pin!(closed);
            loop {
                tokio::select! {
                    () = &mut closed => return,
                    changed = primary.chosen.changed() => if changed.is_err() { return },
                }
                pool.set_connect_options(primary.options());
            }
        });
    }
}

/// The first host that takes writes, and a connection to it.
pub(super) async fn find(hosts: &[PgConnectOptions]) -> Result<(PgConnection, usize), sqlx::Error> {
    let mut problem = sqlx::Error::Io(std::io::Error::other("the database's URL names no host"));
    for (host, options) in hosts.iter().enumerate() {
        match reach(options, hosts.len() > 1).await {
            Ok(connection) => return Ok((connection, host)),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

/// A connection; of several hosts, to one that takes writes.
async fn reach(options: &PgConnectOptions, of_several: bool) -> Result<PgConnection, sqlx::Error> {
    if !of_several {
        return PgConnection::connect_with(options).await;
    }
    let reached = async {
        let mut connection = PgConnection::connect_with(options).await?;
        if !takes_writes(&mut connection).await? {
            return Err(sqlx::Error::Io(std::io::Error::other(
                "the server takes no writes: it is a standby",
            )));
        }
        Ok(connection)
    };
    let timed_out = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWER_WITHIN, reached).await.unwrap_or_else(|_| Err(timed_out()))
}

async fn takes_writes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql(TAKES_WRITES).fetch_one(connection).await?.try_get(0)
}

/// Keeps the choice right until nobody is interested in it any more.
async fn watch(hosts: Arc<[PgConnectOptions]>, sender: watch::Sender<Chosen>) {
    tokio::select! {
        () = sender.closed() => {}
        () = choose(&hosts, &sender) => {}
    }
}

async fn choose(hosts: &[PgConnectOptions], sender: &watch::Sender<Chosen>) {
    let mut failures = 0;
    loop {
        let before = sender.borrow().host;
        match find(hosts).await {
            Ok((connection, host)) => {
                if host != before {
                    let server = format!("{}:{}", hosts[host].get_host(), hosts[host].get_port());
                    tracing::warn!(database.host = server, "another server takes the writes now");
                    sender.send_replace(Chosen { host, since: Instant::now() });
                }
                failures = 0;
                while_primary(connection).await;
                tracing::warn!("the database's primary is lost; looking for the one that takes its place");
            }
            Err(error) => {
                failures += 1;
                tracing::debug!(error = &error as &dyn std::error::Error, "no host takes writes");
                tokio::time::sleep(RECONNECT.delay(failures, random_fraction(), None).min(ASK_EVERY)).await;
            }
        }
    }
}

/// Returns once the server at the other end does not take writes any more, or does not answer.
async fn while_primary(mut connection: PgConnection) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let answer = tokio::time::timeout(ANSWER_WITHIN, takes_writes(&mut connection)).await;
        if !matches!(answer, Ok(Ok(true))) {
            return;
        }
    }
}
