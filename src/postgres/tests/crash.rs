//! Servers killed, owners dying, and what the next start makes of it.

use super::{PATIENCE, ask, options, running, scratch, start};
use crate::postgres::{EmbeddedOptions, EmbeddedPostgres, user::ServerUser};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgPoolOptions;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Tells the test below that it is the child of another.
const OWNED_DIR: &str = "TICKETFLOW_TEST_OWNED_DIR";

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

/// Leaves a server behind whose owner was killed; its process id.
async fn orphan(dir: &Path) -> u32 {
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "postgres::tests::crash::an_owner_that_waits_to_be_killed"])
        .env(OWNED_DIR, dir)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let pid = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("the owner started");
        if let Some((_, pid)) = line.split_once("server pid ") {
            break pid.parse().unwrap();
        }
    };
    owner.kill().await.unwrap();
    pid
}

/// Not a test but the process [`orphan`] kills; on its own it does nothing.
#[tokio::test]
async fn an_owner_that_waits_to_be_killed() {
    if let Some(dir) = env::var_os(OWNED_DIR) {
        let postgres = start(&PathBuf::from(dir)).await;
        println!("server pid {}", postgres.server_pid());
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_cancelled_start_is_made_good_by_the_next() {
    let dir = scratch();
    for patience in [20, 100, 500] {
        // Wherever it is by then.
        drop(timeout(Duration::from_millis(patience), EmbeddedPostgres::start(options(dir.path()))).await);
    }
    start(dir.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_does_not_hinder() {
    let dir = scratch();
    let postgres = start(dir.path()).await;
    let pgdata = dir.path().join("pgdata");
    let file = fs::read_to_string(pgdata.join("postmaster.pid")).unwrap();
    postgres.stop().await.unwrap();

    // Another process of the server's user has the id by now: PostgreSQL itself would refuse to start.
    let user = ServerUser::resolve(&pgdata).unwrap();
    let mut other = user.command(Path::new("/bin/sleep")).arg("600").kill_on_drop(true).spawn().unwrap();
    let (_, rest) = file.split_once('\n').unwrap();
    let stale = format!("{}\n{rest}", other.id().unwrap());
    fs::write(pgdata.join("postmaster.pid"), &stale).unwrap();
    user.give(&pgdata.join("postmaster.pid")).unwrap();
    let socket_lock = dir.path().join("socket/.s.PGSQL.5432.lock");
    fs::write(&socket_lock, &stale).unwrap();
    user.give(&socket_lock).unwrap();

    start(dir.path()).await.stop().await.unwrap();
    other.kill().await.unwrap();
}

#[tokio::test]
async fn an_orphaned_server_is_adopted() {
    let dir = scratch();
    let pid = orphan(dir.path()).await;
    let postgres = start(dir.path()).await;
    assert_eq!(postgres.server_pid(), pid);
    assert_eq!(ask(postgres.database_url(), "SELECT current_database()::text").await, "ticketflow");
    postgres.stop().await.unwrap();
    assert_eq!(running(dir.path()), None);
}

#[tokio::test]
async fn an_orphaned_server_with_other_settings_is_restarted() {
    let dir = scratch();
    let pid = orphan(dir.path()).await;
    let chosen = vec![("max_connections".to_owned(), "17".to_owned())];
    let postgres =
        EmbeddedPostgres::start(EmbeddedOptions { settings: chosen, ..options(dir.path()) }).await.unwrap();
    assert_ne!(postgres.server_pid(), pid);
    assert_eq!(ask(postgres.database_url(), "SHOW max_connections").await, "17");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_is_brought_back() {
    let dir = scratch();
    let postgres = start(dir.path()).await;
    let shutdown = CancellationToken::new();
    let watched = async {
        let pool =
            PgPoolOptions::new().acquire_timeout(PATIENCE).connect(postgres.database_url()).await.unwrap();
        sqlx::query("CREATE TABLE kept AS SELECT 1 AS one").execute(&pool).await.unwrap();
        let first = postgres.server_pid();
        // As if something had tidied up there as well.
        fs::remove_dir_all(dir.path().join("socket")).unwrap();
        kill(first);
        while sqlx::query("SELECT one FROM kept").execute(&pool).await.is_err()
            || postgres.server_pid() == first
        {
            tokio::task::yield_now().await;
        }
        pool.close().await;
        shutdown.cancel();
    };
    let both = Box::pin(async { tokio::join!(postgres.supervise(shutdown.clone()), watched) });
    timeout(PATIENCE, both).await.unwrap();
    postgres.stop().await.unwrap();
    assert_eq!(running(dir.path()), None);
}

#[tokio::test]
async fn a_server_dropped_without_stop_shuts_down() {
    let dir = scratch();
    let postgres = start(dir.path()).await;
    let pid = postgres.server_pid();
    drop(postgres);
    let postgres = start(dir.path()).await;
    assert_ne!(postgres.server_pid(), pid);
    postgres.stop().await.unwrap();
}
