//! The embedded database against the PostgreSQL installed here.

mod crash;
mod startup;

use super::{EmbeddedOptions, EmbeddedPostgres, layout::Layout, postmaster::Postmaster};
use sqlx::{Connection, PgConnection};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

fn scratch() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir_in("/tmp").unwrap()
}

fn options(dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions { data_dir: Some(dir.to_owned()), ..EmbeddedOptions::default() }
}

async fn start(dir: &Path) -> EmbeddedPostgres {
    EmbeddedPostgres::start(options(dir)).await.unwrap()
}

async fn ask(url: &str, question: &'static str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let answer = sqlx::query_scalar(question).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    answer
}

fn running(dir: &Path) -> Option<Postmaster> {
    Postmaster::running(&Layout::locate(Some(dir.to_owned())).unwrap().pgdata())
}
