//! The way past one PostgreSQL: every key begins with the bucket, and every statement names it, but for those that are
//! listed here with their reason.

use crate::support::{
    database::{Database, Schema},
    statement::faults,
};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};
use ticketflow_engine::store::distribution;

/// Statements that a process on Citus makes over all shards: reads that lock nothing. Each is named by a piece of its
/// text.
const ACROSS_SHARDS: &[(&str, &str)] = &[
    ("SELECT priority, wake_at, bucket FROM live_runs WHERE state = 'ready'", "where a claim begins"),
    ("SELECT priority, wake_at, bucket FROM live_runs WHERE state IN", "where a claim of what is due begins"),
    ("SELECT DISTINCT run.bucket FROM live_runs", "where reaping begins"),
    ("SELECT DISTINCT bucket FROM live_runs", "where lining up begins"),
    ("SELECT DISTINCT bucket FROM idempotency", "where sweeping begins"),
    ("SELECT DISTINCT worker_id", "whether a dead worker holds runs; asked when one died"),
    (
        "epoch AS \"epoch: Epoch\" FROM live_runs WHERE state = 'leased'",
        "a worker's own runs; asked after a lost answer",
    ),
    ("FROM workers LEFT JOIN (", "the list of workers, for people"),
    ("count(*) FILTER (WHERE state = 'ready') AS \"ready!\"", "depth of the queues, for people and metrics"),
    (
        "FROM live_runs WHERE state = 'ready' OR state = 'sleeping'",
        "age of the oldest ready run, for health checks",
    ),
    ("FROM runs AS run FULL JOIN live_runs", "audit"),
    ("FROM idempotency AS held", "audit"),
    ("FROM live_runs AS live LEFT JOIN LATERAL", "audit"),
    ("run.state FROM live_runs AS run LEFT JOIN workers", "audit"),
    ("'queue ' || queue AS name", "audit"),
    ("FROM runs WHERE (bucket, id) > ($1, $2)", "audit"),
    ("FROM tickets GROUP BY status, category, priority", "statistics, for people"),
    ("percentile_cont", "statistics, for people"),
    ("SELECT count(*) AS \"count!\" FROM approvals", "statistics, for people"),
    ("WHERE status = 'pending' AND (requested_at, ticket_id)", "the list of approvals, for people"),
    ("payload ->> 'topic' = $1", "corrections, for training"),
    ("WHERE customer_id = $1 AND id < $2", "a customer's tickets lie anywhere; one read per ticket"),
    ("ORDER BY coalesce(resolved_at, completed_at)", "what was solved last; read once a minute and process"),
];

/// Statements that only a process on one PostgreSQL makes, over many buckets at once, and what stands in their place.
const SINGLE_ONLY: &[(&str, &str)] = &[
    ("WITH allowed AS (", "claim_in_bucket.sql"),
    (
        "-- The fence is the key, the epoch and the place in the log",
        "advance_in_bucket.sql, for one bucket's runs",
    ),
    ("-- One round of patches; each row occurs once.", "update_in_bucket.sql, for one bucket's tickets"),
    ("AND a.is_open;", "the same with a bucket, for one bucket's tickets"),
    ("WHERE run.worker_id = $4 ORDER BY", "the same with a bucket"),
    ("OR run.deadline_at <= engine_now() ) ORDER BY", "the same with a bucket"),
    (
        "UPDATE live_runs AS run SET state = 'ready' FROM ( SELECT bucket, id FROM live_runs WHERE state IN",
        "lining up by bucket",
    ),
    ("DELETE FROM idempotency WHERE ctid", "sweeping by bucket"),
    ("AS \"reap!\"", "each chore looks for itself"),
    ("WITH RECURSIVE ready AS", "the least time of all ready runs"),
    ("WHERE state = 'blocked' AND concurrency_key = $1", "nothing: no limits per key"),
    ("WITH open AS (", "nothing: no limits per key"),
    ("DELETE FROM concurrency_keys", "nothing: no limits per key"),
];

fn schemas() -> [distribution::Schema; 2] {
    [distribution::SCHEMA, ticketflow_tickets::distribution::SCHEMA]
}

fn distributed() -> Vec<&'static str> {
    schemas().iter().flat_map(|schema| schema.distributed).copied().collect()
}

/// A statement of the program.
struct Text {
    whole: String,
    /// In one line, with an end that can be asked for.
    words: String,
}

/// Every statement that is checked when the program is built, which is every one but the list of tickets.
fn statements() -> Vec<Text> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = fs::read_dir(directory).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let texts = files.map(|file| {
        let described: Value = serde_json::from_slice(&file).unwrap();
        let whole = described["query"].as_str().unwrap().to_owned();
        let words = whole.split_whitespace().collect::<Vec<_>>().join(" ") + ";";
        Text { whole, words }
    });
    texts.collect()
}

#[test]
fn every_statement_names_the_bucket_of_what_it_touches_or_is_listed_with_its_reason() {
    let (tables, statements) = (distributed(), statements());
    assert!(statements.len() > 80, "the list of statements is not whole");
    let listed = || ACROSS_SHARDS.iter().chain(SINGLE_ONLY).map(|(text, _)| *text);
    let mut needed: BTreeMap<&str, usize> = listed().map(|text| (text, 0)).collect();
    for statement in &statements {
        let faults = faults(&statement.whole, &tables);
        if faults.is_empty() {
            continue;
        }
        let exception = listed().find(|text| statement.words.contains(text));
        let exception =
            exception.unwrap_or_else(|| panic!("no bucket for {faults:?} in\n{}", statement.whole));
        *needed.get_mut(exception).unwrap() += 1;
    }
    for (text, times) in needed {
        assert_eq!(times, 1, "the exception is not for one statement that needs it: {text:?}");
    }
}

#[test]
fn what_is_made_over_all_shards_locks_and_writes_nothing() {
    let statements = statements();
    for (text, _) in ACROSS_SHARDS {
        let statement = statements.iter().find(|statement| statement.words.contains(text)).unwrap();
        for word in ["FOR UPDATE", "UPDATE ", "DELETE ", "INSERT "] {
            assert!(!statement.words.contains(word), "{word}in a read over all shards: {text}");
        }
    }
}

#[test]
fn the_reading_of_statements_sees_what_is_missing() {
    let tables = ["runs", "live_runs"];
    let none: [&str; 0] = [];
    for (sql, expected) in [
        ("SELECT id FROM runs WHERE bucket = $1", &none[..]),
        ("SELECT id FROM runs WHERE id = $1", &["runs"]),
        ("SELECT id FROM runs WHERE bucket = $1 OR id = $2", &["runs"]),
        ("SELECT id FROM runs WHERE bucket > 7", &["runs"]),
        (
            "SELECT r.id FROM unnest($1::smallint[]) AS w (bucket) JOIN runs AS r ON r.bucket = w.bucket",
            &none,
        ),
        ("SELECT r.id FROM live_runs AS l JOIN runs AS r ON r.bucket = l.bucket", &["live_runs", "runs"]),
        ("SELECT r.id FROM live_runs AS l JOIN runs AS r ON r.bucket = l.bucket WHERE l.bucket = 3", &none),
        ("SELECT id FROM runs WHERE bucket = $1 FOR UPDATE", &none),
        (
            "UPDATE runs SET status = 'x' FROM unnest($1::smallint[]) AS w (bucket) WHERE runs.bucket = w.bucket",
            &["runs"],
        ),
        (
            "WITH gone AS (DELETE FROM live_runs WHERE id = $1 RETURNING id) SELECT id FROM gone",
            &["live_runs"],
        ),
        (
            "UPDATE runs SET status = 'x' WHERE bucket = $1 AND EXISTS (SELECT FROM live_runs WHERE id = $2)",
            &["live_runs"],
        ),
        ("INSERT INTO runs (id) VALUES ($1)", &["runs"]),
        ("INSERT INTO runs (bucket, id) SELECT bucket, id FROM live_runs WHERE bucket = $1", &none),
        ("SELECT id FROM workers", &none),
        ("UPDATE workers SET name = 'x' RETURNING engine_now()", &["the clock in RETURNING"]),
        (
            "UPDATE workers SET expires_at = coalesce(expires_at, engine_now())",
            &["the clock in CASE or COALESCE"],
        ),
        (
            "INSERT INTO queues (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET at = engine_now()",
            &["the clock in ON CONFLICT"],
        ),
    ] {
        assert_eq!(faults(sql, &tables).into_iter().collect::<Vec<_>>(), expected, "{sql}");
    }
}

/// The text of a statement for one bucket says what that of many says, and the bucket besides.
#[test]
fn a_statement_for_one_bucket_differs_from_that_for_many_by_naming_it_alone() {
    let words = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
        lines.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let advance = include_str!("../../engine/src/store/advance_in_bucket.sql");
    let advance = words(advance).replace("run.bucket = $32 AND ", "").replace("runs.bucket = $32 AND ", "");
    assert_eq!(advance, words(include_str!("../../engine/src/store/advance.sql")));
    let update = words(include_str!("../../tickets/src/projection/update_in_bucket.sql"));
    let update = update.replace("t.bucket = $2 AND ", "");
    assert_eq!(update, words(include_str!("../../tickets/src/projection/update.sql")));
}

#[test]
fn the_enqueue_of_runs_with_keys_differs_from_the_other_by_their_counters_alone() {
    let keyed = include_str!("../../engine/src/store/enqueue_keyed.sql");
    let (before, counters) = keyed.split_once("), key AS (").unwrap();
    let (_, after) = counters.split_once("), live AS (").unwrap();
    let (_, before) = before.split_once('\n').unwrap();
    let rest = format!("{before}), live AS ({after}");
    assert_eq!(rest, include_str!("../../engine/src/store/enqueue.sql"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_begins_with_the_bucket_and_every_table_is_placed() {
    let database = Database::create(Schema::Desk).await;
    let pool = database.pool().await;
    let keys: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, coalesce(a.attname, '')::text
         FROM pg_index AS i LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indisunique AND i.indrelid::regclass::text = ANY ($1)",
    )
    .bind(distributed())
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(keys.len() >= distributed().len());
    for (table, key, first) in &keys {
        assert_eq!(first, "bucket", "{key} of {table}");
    }
    for table in distributed() {
        assert!(keys.iter().any(|(of, ..)| of == table), "{table} has no key");
    }
    let mut placed: Vec<&str> = schemas().iter().flat_map(|schema| schema.reference).copied().collect();
    placed.extend(distributed());
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    for table in tables
        .iter()
        .filter(|table| !["_sqlx_migrations", "schema_requirements", "test_clock"].contains(&table.as_str()))
    {
        assert!(placed.contains(&table.as_str()), "{table} is neither distributed nor on every node");
    }
    for function in schemas().iter().flat_map(|schema| schema.functions) {
        let known: Option<String> = sqlx::query_scalar("SELECT to_regprocedure($1)::text")
            .bind(function)
            .fetch_one(&pool)
            .await
            .unwrap();
        assert!(known.is_some(), "there is no function {function}");
    }
    pool.close().await;
    database.drop().await;
}
