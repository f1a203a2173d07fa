//! A pooler in transaction mode before the database: a program that was not told of it refuses to start, and one that was
//! needs no way past it to work. All else that works by way of one is tested by running the other tests so
//! (`TEST_PGBOUNCER=1`).

use crate::support::{
    app::{Process, program, run, ticket},
    database::{Database, Schema},
    pgbouncer,
};
use serde_json::Value;
use std::process::Command;

struct Told {
    code: Option<i32>,
    said: String,
}

/// A command on a database behind a pooler with such settings.
async fn behind(database: &Database, settings: &str, arguments: &[&str]) -> Command {
    let direct = database.direct_url();
    let (server, name) = direct.rsplit_once('/').unwrap();
    let url = format!("{}/{name}", pgbouncer::before(server, settings).await);
    let mut command = program();
    command.args(arguments).env("DATABASE_URL", url);
    command
}

async fn told(settings: &str, arguments: &[&str], pooler: Option<&str>) -> Told {
    let database = Database::empty().await;
    let mut command = behind(&database, settings, arguments).await;
    command.envs(pooler.map(|pooler| ("TICKETFLOW_POOLER", pooler)));
    let output = run(command).await;
    database.drop().await;
    Told { code: output.status.code(), said: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// Nobody listens then: the worker's poll finds the ticket.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_completes_and_is_audited_behind_a_pooler_that_nothing_leads_past() {
    let database = Database::create(Schema::Desk).await;
    let told = |mut command: Command| {
        command.env("TICKETFLOW_POOLER", "transaction");
        command
    };
    let mut api = Process::start(told(behind(&database, "", &["api", "--listen", "127.0.0.1:0"]).await));
    let url = api.address().await;
    let worker = Process::start(told(behind(&database, "", &["worker"]).await));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let posted =
        http.post(format!("{url}/tickets")).header("prefer", "wait=60").json(&ticket(2)).send().await;
    let posted: Value = posted.unwrap().json().await.unwrap();
    assert_eq!(posted["status"], "completed", "{posted}");
    assert_eq!(worker.stop().await, 0);
    let audit = run(told(behind(&database, "", &["audit", "verify"]).await)).await;
    let said = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.status.success() && said.contains("1 run and"), "{said}");
    assert_eq!(api.stop().await, 0);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_the_configuration_does_not_know_of_is_refused_with_what_to_set() {
    // As it comes it refuses a start-up parameter; told to ignore that, it takes the connection.
    for (settings, code) in [("", 5), ("ignore_startup_parameters = extra_float_digits", 2)] {
        let refused = told(settings, &["worker"], None).await;
        assert_eq!(refused.code, Some(code), "{}", refused.said);
        assert!(refused.said.contains("set pooler of [database] (or TICKETFLOW_POOLER)"), "{}", refused.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_does_not_follow_prepared_statements_is_refused_where_it_should() {
    let refused = told("", &["worker"], Some("prepared")).await;
    assert_eq!(refused.code, Some(2), "{}", refused.said);
    assert!(refused.said.contains("does not follow prepared statements"), "{}", refused.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_ask_for_a_way_past_the_pooler() {
    let refused = told("", &["migrate"], Some("transaction")).await;
    assert_eq!(refused.code, Some(2), "{}", refused.said);
    assert!(refused.said.contains("TICKETFLOW_DIRECT_URL"), "{}", refused.said);
}
