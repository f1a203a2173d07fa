//! A pooler in transaction mode before the database: a program that was not told of it refuses to start. What works by
//! way of one is tested by running the other tests so (`TEST_PGBOUNCER=1`).

use crate::support::{
    app::{program, run},
    database::Database,
    pgbouncer,
};

struct Told {
    code: Option<i32>,
    said: String,
}

/// Runs a command on a database behind a pooler with such settings.
async fn told(settings: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Told {
    let database = Database::empty().await;
    let (server, name) =
        database.direct_url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let url = format!("{}/{name}", pgbouncer::before(&server, settings).await);
    let mut command = program();
    command.args(arguments).env("DATABASE_URL", url).envs(variables.iter().copied());
    let output = run(command).await;
    database.drop().await;
    Told { code: output.status.code(), said: String::from_utf8_lossy(&output.stderr).into_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_the_configuration_does_not_know_of_is_refused_with_what_to_set() {
    // As it comes it refuses a start-up parameter; told to ignore that, it takes the connection.
    for (settings, code) in [("", 5), ("ignore_startup_parameters = extra_float_digits", 2)] {
        let refused = told(settings, &["worker"], &[]).await;
        assert_eq!(refused.code, Some(code), "{}", refused.said);
        assert!(refused.said.contains("set pooler of [database] (or TICKETFLOW_POOLER)"), "{}", refused.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_does_not_follow_prepared_statements_is_refused_where_it_should() {
    let refused = told("", &["worker"], &[("TICKETFLOW_POOLER", "prepared")]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.said);
    assert!(refused.said.contains("does not follow prepared statements"), "{}", refused.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_ask_for_a_way_past_the_pooler() {
    let refused = told("", &["migrate"], &[("TICKETFLOW_POOLER", "transaction")]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.said);
    assert!(refused.said.contains("TICKETFLOW_DIRECT_URL"), "{}", refused.said);
}
