//! With `topology = "citus"` every transaction keeps to one bucket: the core of the suite once more that way, on ordinary
//! PostgreSQL, and on a Citus cluster where there is one.

use crate::support::{
    TestEngine,
    app::{program, run},
    cluster,
    database::{Database, is_distributed},
    greenhouse::{at_once, greenhouse},
    hand::HandWorker,
};
use std::process::Command;
use ticketflow_engine::{
    Catalog, Client, Topology,
    client::EnqueueRequest,
    store::{
        claim::{self, Claimed},
        limit::{self, QueueSettings},
    },
    wakeup::Wakeup,
};
use ticketflow_worker::{Shutdown, WorkerError, WorkerOptions};

/// How to have these tests run.
const NO_CITUS: &str = "SKIPPED: there is no Citus here. Set TICKETFLOW_TEST_CITUS_URL to the URL, without a database, of a \
                        single-node Citus whose user may create databases and extensions (the image citusdata/citus is \
                        one), and repeat.";

/// Runs the tests of a module in a process of their own, on `server`.
fn run_module(module: &str, server: &str, distributed: bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("{module}::"), "--test-threads=2"]);
    command.env("TICKETFLOW_TEST_TOPOLOGY", "citus").env("TEST_DATABASE_URL", server);
    if distributed {
        command.env("TICKETFLOW_TEST_DISTRIBUTED", "1");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("running 0 tests"), "there is no module {module}");
}

macro_rules! modules {
    ($run:path: $($module:ident),+ $(,)?) => {
        $(#[test]
        fn $module() {
            $run(stringify!($module));
        })+
    };
}

mod bucket_by_bucket {
    fn run(module: &str) {
        super::run_module(module, &super::cluster::shared_url(), false);
    }

    modules!(run: happy_path, commits, control, durability, leases, model, once, retries, schedules, silence, versions, waiting);
}

mod on_a_cluster {
    #[expect(clippy::print_stderr, reason = "who reads the outcome has to see that nothing was tested")]
    fn run(module: &str) {
        match std::env::var("TICKETFLOW_TEST_CITUS_URL") {
            Ok(url) => super::run_module(module, url.trim_end_matches('/'), true),
            Err(_) => eprintln!("{}", super::NO_CITUS),
        }
    }

    modules!(run: happy_path, commits, control, durability, leases, model, once, retries, schedules, versions, waiting, shards);
}

/// What holds on the shards themselves.
mod shards {
    use super::*;

    /// On ordinary PostgreSQL there are no shards to ask, and `tampering` asks the table itself.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_shards_of_the_log_refuse_to_be_changed() {
        if !is_distributed() {
            return;
        }
        let engine = TestEngine::builder().start().await;
        engine.enqueue_many(50).await;
        let refused: Vec<String> = sqlx::query_scalar(
            "SELECT result FROM run_command_on_shards('run_events', 'UPDATE %s SET kind = kind') WHERE NOT success",
        )
        .fetch_all(&engine.pool)
        .await
        .unwrap();
        assert!(!refused.is_empty(), "every shard let its events be changed");
        assert!(refused.iter().all(|problem| problem.contains("append-only")), "{refused:?}");
        engine.finish().await;
    }
}

async fn claim_by_bucket(engine: &TestEngine, worker: &HandWorker, limit: i64) -> Claimed {
    claim::claim_by_bucket(&mut *engine.connection().await, &worker.request(limit)).await.unwrap()
}

/// Runs of one bucket and of many, so that a bucket's share is more than a run and less than all it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_by_bucket_takes_as_many_as_it_was_asked_for_the_most_urgent_first() {
    let engine = TestEngine::builder().start().await;
    engine.enqueue_many(300).await;
    let mut urgent = Vec::new();
    for _ in 0..5 {
        let request = EnqueueRequest { priority: Some(1), ..TestEngine::request("north") };
        urgent.push(engine.client.enqueue(request).await.unwrap().run());
    }
    let worker = engine.hand("gardener").await;
    let first = claim_by_bucket(&engine, &worker, 5).await.runs;
    assert_eq!(first.len(), 5);
    assert!(
        first.iter().all(|lease| urgent.contains(&lease.id)),
        "others were served before the urgent ones"
    );
    assert_eq!(claim_by_bucket(&engine, &worker, 200).await.runs.len(), 200);
    assert_eq!(claim_by_bucket(&engine, &worker, 200).await.runs.len(), 100);
    assert!(claim_by_bucket(&engine, &worker, 200).await.runs.is_empty());
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_claim_by_bucket_at_once_get_different_runs() {
    let engine = TestEngine::builder().start().await;
    engine.enqueue_many(200).await;
    let (one, other) = (engine.hand("one").await, engine.hand("other").await);
    let (one, other) =
        tokio::join!(claim_by_bucket(&engine, &one, 200), claim_by_bucket(&engine, &other, 200));
    let mut claimed: Vec<_> = one.runs.iter().chain(&other.runs).map(|lease| lease.id).collect();
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), one.runs.len() + other.runs.len(), "a run has two workers");
    assert_eq!(claimed.len(), 200);
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_or_paused_queue_hands_out_nothing_by_bucket() {
    let engine = TestEngine::builder().start().await;
    engine.enqueue_many(3).await;
    let worker = engine.hand("gardener").await;
    for (max_leased, paused) in [(Some(2), false), (None, true)] {
        let settings = QueueSettings { name: "default".to_owned(), max_leased, paused };
        limit::set_queue(&mut *engine.connection().await, &settings).await.unwrap();
        assert!(claim_by_bucket(&engine, &worker, 10).await.runs.is_empty(), "{settings:?}");
    }
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_citus_refuses_workflows_with_limits_per_key() {
    let engine = TestEngine::builder().start().await;
    let keyed = greenhouse(1, &engine.script, at_once()).at_most_per_key(1, |order| Some(order.bed.clone()));
    let catalog = Catalog::new([keyed.build().unwrap()]).unwrap();
    let clock = engine.clock.clone();
    let client = Client::on(Topology::Citus, engine.pool.clone(), catalog, clock, Wakeup::new(false));
    let refused = ticketflow_worker::run(client, WorkerOptions::default(), Shutdown::default()).await;
    assert!(matches!(refused, Err(WorkerError::Workflows(_))), "{refused:?}");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn distributing_without_citus_fails_and_says_what_to_do() {
    let database = Database::empty().await;
    let mut migrate = program();
    migrate.args(["migrate", "--distribute"]).env("DATABASE_URL", database.url());
    let refused = run(migrate).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for advice in ["no Citus", "shared_preload_libraries", "CREATE EXTENSION citus", "topology = \"single\""]
    {
        assert!(said.contains(advice), "{advice} is not in: {said}");
    }
    database.drop().await;
}
