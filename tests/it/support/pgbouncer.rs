//! PgBouncer in transaction mode before a server, for a test run that asks for it with `TEST_PGBOUNCER=1`: the same tests
//! then reach the database as programs behind a pooler do.

use super::{
    cluster::{binary, free_port, unprivileged, watch},
    until,
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};
use ticketflow_engine::pooler::Pooler;
use tokio::{net::TcpStream, sync::Mutex};

/// Fewer than the connections of any test's processes, so that they have to share.
const SERVER_CONNECTIONS: u8 = 6;

/// What stands between the programs under test and their server.
pub(crate) fn pooler() -> Pooler {
    if std::env::var_os("TEST_PGBOUNCER").is_some() { Pooler::Transaction } else { Pooler::None }
}

/// A pooler before a server, as a URL without a database. `settings` go with the others.
pub(crate) async fn before(server: &str, settings: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{}", start(server, settings).await)
}

/// The way that programs take to a server, which is given as a URL without a database: straight, or by way of this
/// process's pooler before it.
pub(crate) async fn way_to(server: &str) -> String {
    static STARTED: Mutex<BTreeMap<String, String>> = Mutex::const_new(BTreeMap::new());
    if pooler() == Pooler::None {
        return server.to_owned();
    }
    let mut started = STARTED.lock().await;
    if !started.contains_key(server) {
        started.insert(server.to_owned(), before(server, "").await);
    }
    started[server].clone()
}

async fn start(server: &str, settings: &str) -> u16 {
    let port = free_port();
    let directory = std::env::temp_dir().join(format!("ticketflow-pooler-{}-{port}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    spawn(&directory, &configuration(server, port, settings));
    until("the pooler listens", || async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() }).await;
    port
}

fn configuration(server: &str, port: u16, settings: &str) -> String {
    let server = host_and_port(server);
    format!(
        "[databases]\n* = {server} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\n\
         max_client_conn = 500\nlog_connections = 0\nlog_disconnections = 0\nserver_login_retry = 0\n\
         query_wait_timeout = 30\n{}{settings}\n",
        unfollowed()
    )
}

/// Every version is made to behave like those that do not follow prepared statements, which know of no such setting.
fn unfollowed() -> &'static str {
    let said = Command::new(binary("pgbouncer")).arg("--version").output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let version = said.split_whitespace().nth(1).unwrap();
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    if minor < 21 { "" } else { "max_prepared_statements = 0\n" }
}

/// It ends with this process.
#[expect(clippy::zombie_processes, reason = "its watchdog outlives this process and ends it")]
fn spawn(directory: &Path, configuration: &str) {
    let file = directory.join("pgbouncer.ini");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(binary("pgbouncer"));
    command
        .arg(&file)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some((user, group)) = unprivileged() {
        chown(directory, Some(user), Some(group)).unwrap();
        command.uid(user).gid(group);
    }
    let child = command.spawn().unwrap();
    watch(std::process::id(), directory, &format!("echo {}", child.id()));
}

/// As PgBouncer wants them.
fn host_and_port(server: &str) -> String {
    let authority = server.rsplit('@').next().unwrap();
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "5432"));
    format!("host={host} port={port}")
}
