//! The benchmark's worker processes: how the phase that starts them talks with them.

use crate::support::{
    app::{program, reach, run},
    database::Database,
};
use sqlx::PgPool;
use std::process::{Command, Stdio};
use ticketflow_engine::{
    Catalog,
    audit::{self, Bounds},
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

fn bench(database: &Database, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("bench").args(arguments);
    reach(&mut command, database);
    command
}

async fn live_runs(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM live_runs").fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_process_begins_when_told_says_what_it_did_and_ends_with_its_input() {
    const RUNS: usize = 30;
    let database = Database::empty().await;
    for arguments in [&["setup"] as &[&str], &["enqueue", "30", "3"]] {
        let output = run(bench(&database, arguments)).await;
        assert!(output.status.success(), "{output:?}");
    }
    let pool = database.direct_pool().await;
    let mut process = tokio::process::Command::from(bench(&database, &["process", "16"]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("READY"));
    assert_eq!(live_runs(&pool).await, 30, "it began before it was told to");
    let mut input = process.stdin.take().unwrap();
    input.write_all(b"go\n").await.unwrap();
    let mut done = 0;
    while done < RUNS {
        done += lines.next_line().await.unwrap().unwrap().parse::<usize>().unwrap();
    }
    assert_eq!(done, RUNS);
    drop(input);
    assert!(process.wait().await.unwrap().success());
    assert_eq!(live_runs(&pool).await, 0, "it ended before its results were committed");
    assert_eq!(lines.next_line().await.unwrap(), None);
    // Their workflow is the benchmark's own: of their steps the audit knows nothing, of their logs everything.
    let catalog = Catalog::new([]).unwrap();
    let report = audit::audit(&mut pool.acquire().await.unwrap(), &catalog, Bounds::default()).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.violations);
    assert_eq!(report.runs, 30);
    pool.close().await;
    database.drop().await;
}
