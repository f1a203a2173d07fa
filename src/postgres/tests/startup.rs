//! What a start finds, makes and refuses.

use super::{PATIENCE, ask, options, running, scratch, start};
use crate::postgres::{
    EmbeddedError, EmbeddedOptions, EmbeddedPostgres, binaries::Places, cluster::Cluster, download::Source,
    endpoint::Endpoint, layout::Layout, ready, server::Server, settings,
};
use sqlx::{Connection, PgConnection};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
};

#[tokio::test]
async fn data_survives_a_stop_and_a_start() {
    let dir = scratch();
    // What a killed initdb leaves.
    fs::create_dir(dir.path().join("pgdata.initializing-0")).unwrap();
    let postgres = start(dir.path()).await;
    assert_eq!(postgres.data_dir(), fs::canonicalize(dir.path()).unwrap());
    let url = postgres.database_url().to_owned();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept AS SELECT 'still here' AS word").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    postgres.stop().await.unwrap();
    assert_eq!(running(dir.path()), None);

    let postgres = start(dir.path()).await;
    assert_eq!(postgres.database_url(), url);
    assert_eq!(ask(&url, "SELECT word FROM kept").await, "still here");
    postgres.stop().await.unwrap();
    assert!(!dir.path().join("pgdata.initializing-0").exists());
}

#[tokio::test]
async fn a_new_database_is_durable_private_and_utf8() {
    let dir = scratch();
    let chosen = vec![("work_mem".to_owned(), "5MB".to_owned())];
    let postgres =
        EmbeddedPostgres::start(EmbeddedOptions { settings: chosen, ..options(dir.path()) }).await.unwrap();
    let expected = [
        ("SHOW data_checksums", "on"),
        ("SHOW fsync", "on"),
        ("SHOW synchronous_commit", "on"),
        ("SHOW server_encoding", "UTF8"),
        ("SHOW listen_addresses", ""),
        ("SHOW max_connections", "400"),
        ("SHOW work_mem", "5MB"),
    ];
    for (question, answer) in expected {
        assert_eq!(ask(postgres.database_url(), question).await, answer, "{question}");
    }
    let mode = fs::metadata(dir.path().join("socket")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // Where there is no /proc there is nothing to look at.
    let environment = fs::read(format!("/proc/{}/environ", postgres.server_pid())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&environment).contains("CARGO"));
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_owner_is_told_who_the_first_is() {
    let dir = scratch();
    let postgres = start(dir.path()).await;
    let error = EmbeddedPostgres::start(options(dir.path())).await.unwrap_err();
    assert!(
        matches!(error, EmbeddedError::LockDataDir { pid, .. } if pid == Some(std::process::id())),
        "{error}"
    );
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
    let shared = EmbeddedPostgres::running(Some(dir.path().to_owned())).unwrap();
    assert_eq!(shared.as_deref(), Some(postgres.database_url()));
    postgres.stop().await.unwrap();
    assert_eq!(EmbeddedPostgres::running(Some(dir.path().to_owned())).unwrap(), None);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_one() {
    let dir = scratch();
    let long = dir.path().join("long".repeat(30));
    let postgres = start(&long).await;
    let socket_dir = running(&long).unwrap().socket_dir.unwrap();
    assert!(socket_dir.len() < 90 && !socket_dir.starts_with(long.to_str().unwrap()), "{socket_dir}");
    assert_eq!(ask(postgres.database_url(), "SELECT current_user::text").await, "ticketflow");
    postgres.stop().await.unwrap();
    fs::remove_dir(socket_dir).unwrap();
}

#[tokio::test]
async fn where_no_socket_fits_a_loopback_port_takes_the_password() {
    let dir = scratch();
    let layout = Layout::create(Some(dir.path().to_owned())).unwrap();
    let places = Places::of_system(&layout.downloads());
    let cluster = Cluster::open(layout, &places, None).await.unwrap();
    let endpoint = Endpoint::free_loopback(&cluster.layout).unwrap();
    settings::write(&cluster.layout, &endpoint, "on", &[]).unwrap();
    let mut server = Server::spawn(&cluster, &endpoint).unwrap();
    ready::wait(&mut server, &endpoint, &cluster.layout, PATIENCE).await.unwrap();
    let found = Endpoint::of(&running(dir.path()).unwrap(), &cluster.layout).unwrap();
    assert_eq!(found, endpoint);
    let url = endpoint.url("postgres");
    assert_eq!(ask(&url, "SELECT current_user::text").await, "ticketflow");
    let Endpoint::Loopback { password, .. } = &endpoint else { panic!("{endpoint:?}") };
    assert!(PgConnection::connect(&url.replace(password.as_str(), "guessed")).await.is_err());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn without_postgresql_one_command_is_advised() {
    let dir = scratch();
    let layout = Layout::create(Some(dir.path().to_owned())).unwrap();
    let nowhere = Places::of_downloads(&layout.downloads());
    let error = EmbeddedPostgres::start_in(layout, &nowhere, None, &[]).await.unwrap_err();
    assert!(error.to_string().starts_with("PostgreSQL was not found. Install"), "{error}");
}

#[tokio::test]
async fn a_failed_download_advises_the_same_command() {
    let dir = scratch();
    let layout = Layout::create(Some(dir.path().to_owned())).unwrap();
    let nowhere = Places::of_downloads(&layout.downloads());
    let source = Source { host: "http://127.0.0.1:9".to_owned() };
    let error = EmbeddedPostgres::start_in(layout, &nowhere, Some(&source), &[]).await.unwrap_err();
    let expected = "PostgreSQL was not found and could not be downloaded. Install";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[tokio::test]
async fn a_database_of_another_version_asks_for_that_version() {
    let dir = scratch();
    let pgdata = dir.path().join("pgdata");
    fs::create_dir(&pgdata).unwrap();
    fs::write(pgdata.join("PG_VERSION"), "99\n").unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&pgdata, Some(65534), Some(65534)).unwrap();
    }
    let error = EmbeddedPostgres::start(options(dir.path())).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::MatchVersion { wanted: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_start_shows_why() {
    let dir = scratch();
    let chosen = vec![("shared_buffers".to_owned(), "plenty".to_owned())];
    let wrong = EmbeddedOptions { settings: chosen, ..options(dir.path()) };
    let error = EmbeddedPostgres::start(wrong).await.unwrap_err();
    assert!(error.to_string().contains("\"plenty\""), "{error}");
    start(dir.path()).await.stop().await.unwrap();
}
