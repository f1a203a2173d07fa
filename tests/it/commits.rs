//! Group commit: a poison result harms no other, and a lost answer is no lost result.

use crate::support::{
    Act, Gate, TestEngine, database,
    greenhouse::{STEPS, at_once, greenhouse},
    proxy::{Cut, Proxy},
};
use futures::{FutureExt, future::BoxFuture};
use sqlx::PgConnection;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use ticketflow_engine::{
    Catalog, Change, Projection, RunId, event::Event, executor::Ended, status::RunStatus,
};

/// A read model: per order, how many events it has. It refuses orders for the bed of thorns.
struct Ledger;

impl Projection for Ledger {
    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        changes: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async move {
            for change in changes {
                sqlx::query(
                    "INSERT INTO ledger AS row (run, events) VALUES ($1, $2)
                     ON CONFLICT (run) DO UPDATE SET events = row.events + EXCLUDED.events",
                )
                .bind(change.run.as_uuid())
                .bind(i64::try_from(change.events.len()).unwrap())
                .execute(&mut *connection)
                .await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn verify<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        logs: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<Vec<String>, sqlx::Error>> {
        async move {
            let mut differences = Vec::new();
            for log in logs {
                let counted: Option<i64> = sqlx::query_scalar("SELECT events FROM ledger WHERE run = $1")
                    .bind(log.run.as_uuid())
                    .fetch_optional(&mut *connection)
                    .await?;
                if counted != i64::try_from(log.events.len()).ok() {
                    differences.push(format!("the ledger counts {counted:?} events of {}", log.run));
                }
            }
            Ok(differences)
        }
        .boxed()
    }
}

fn projected(script: &crate::support::Script) -> Catalog {
    Catalog::new([greenhouse(1, script, at_once()).projection(Ledger).build().unwrap()]).unwrap()
}

async fn ledger_engine() -> TestEngine {
    let engine = TestEngine::builder().catalog(projected).start().await;
    sqlx::query("CREATE TABLE ledger (run uuid PRIMARY KEY, events bigint NOT NULL)")
        .execute(&engine.pool)
        .await
        .unwrap();
    engine
}

/// Holds every run of a batch at a step, lets all go at once, and returns how each ended.
async fn advance_together(
    engine: &TestEngine,
    runs: usize,
    act: impl Fn(RunId) -> Act + Send + Sync + 'static,
) -> Vec<Ended> {
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| match call.step {
        "plan" if call.number == 1 => Act::Pass(at.clone()),
        "water" => act(call.run),
        _ => Act::Work,
    });
    let worker = engine.hand("gardener").await;
    let leases = worker.claim(i64::try_from(runs).unwrap()).await;
    assert_eq!(leases.len(), runs);
    let tasks: Vec<_> = leases.into_iter().map(|lease| worker.spawn(lease)).collect();
    gate.reached_by(u32::try_from(runs).unwrap()).await;
    gate.open();
    futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_result_in_a_batch_harms_no_other() {
    let engine = TestEngine::builder().start().await;
    sqlx::query("ALTER TABLE run_events ADD CHECK (payload::text NOT LIKE '%thorns%')")
        .execute(&engine.pool)
        .await
        .unwrap();
    let runs = engine.enqueue_many(40).await;
    let poison = runs[17];
    let output = serde_json::json!({ "bed": "thorns", "amount": 1 });
    let thorns = move |run| if run == poison { Act::Output(output.clone()) } else { Act::Work };
    advance_together(&engine, 40, thorns).await;
    for run in runs {
        let expected = if run == poison { RunStatus::Failed } else { RunStatus::Completed };
        assert_eq!(engine.status(run).await, expected);
    }
    assert_eq!(engine.error_code(poison).await.as_deref(), Some("checkpoint_refused"));
    assert_eq!(engine.checkpoints(poison).await.len(), 2, "what was durable before stays");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_fails_in_a_batch_harms_no_other() {
    let engine = TestEngine::builder().start().await;
    sqlx::query("CREATE TABLE watered (run uuid PRIMARY KEY)").execute(&engine.pool).await.unwrap();
    let runs = engine.enqueue_many(20).await;
    let poison = runs[3];
    let (bad, good) = ("INSERT INTO no_such_table VALUES ($1)", "INSERT INTO watered VALUES ($1)");
    let sql = move |run| Act::Sql(if run == poison { bad } else { good });
    advance_together(&engine, 20, sql).await;
    let watered: i64 =
        sqlx::query_scalar("SELECT count(*) FROM watered").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(watered, 19);
    assert_eq!(engine.error_code(poison).await.as_deref(), Some("checkpoint_refused"));
    let log = engine.log(poison).await;
    let Event::Failed(failure) = &log.last().unwrap().event else { panic!("the run failed") };
    assert!(failure.details.to_string().contains("no_such_table"), "{failure:?}");
    engine.finish().await;
}

/// A function that steps call: it raises what PostgreSQL raises where transactions get in each other's way.
async fn conflict(engine: &TestEngine, raised_when: &str) {
    let function = format!(
        "CREATE TABLE watered (run uuid PRIMARY KEY);
         CREATE SEQUENCE tries;
         CREATE FUNCTION conflict(run uuid) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
             IF {raised_when} THEN RAISE 'in the way' USING ERRCODE = 'serialization_failure'; END IF;
             INSERT INTO watered VALUES (run);
         END $$"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(function)).execute(&engine.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_always_raises_a_conflict_harms_no_other_and_fails_its_run() {
    let engine = TestEngine::builder().start().await;
    conflict(&engine, "run IS NULL").await;
    let runs = engine.enqueue_many(20).await;
    let poison = runs[3];
    let (bad, good) = ("SELECT conflict(NULL), $1::uuid", "SELECT conflict($1)");
    let sql = move |run| Act::Sql(if run == poison { bad } else { good });
    advance_together(&engine, 20, sql).await;
    for run in runs {
        let expected = if run == poison { RunStatus::Failed } else { RunStatus::Completed };
        assert_eq!(engine.status(run).await, expected);
    }
    assert_eq!(engine.error_code(poison).await.as_deref(), Some("checkpoint_refused"));
    assert_eq!(engine.script.calls_of(poison, "water").len(), 1, "its SQL was tried again, not the step");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_passes_is_waited_out() {
    let engine = TestEngine::builder().start().await;
    conflict(&engine, "nextval('tries') < 5").await;
    let run = engine.enqueue().await;
    let ended = advance_together(&engine, 1, |_| Act::Sql("SELECT conflict($1)")).await;
    assert_eq!(ended, [Ended::Closed]);
    assert_eq!(engine.status(run).await, RunStatus::Completed);
    let tries: i64 =
        sqlx::query_scalar("SELECT last_value FROM tries").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(tries, 5);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_changes_in_the_transaction_of_the_checkpoint() {
    let engine = ledger_engine().await;
    let runs = engine.enqueue_many(10).await;
    advance_together(&engine, 10, |_| Act::Work).await;
    let counts: Vec<i64> =
        sqlx::query_scalar("SELECT events FROM ledger").fetch_all(&engine.pool).await.unwrap();
    assert_eq!(counts, [8; 10]);
    sqlx::query("UPDATE ledger SET events = 7 WHERE run = $1")
        .bind(runs[0].as_uuid())
        .execute(&engine.pool)
        .await
        .unwrap();
    let report = engine.audit().await;
    assert_eq!(report.violations.len(), 1, "the audit compares the read model with the log");
    sqlx::query("UPDATE ledger SET events = 8").execute(&engine.pool).await.unwrap();
    engine.finish().await;
}

/// A read model that only listens: how many events of each run it heard of as durable.
#[derive(Clone, Default)]
struct Herald {
    heard: Arc<Mutex<BTreeMap<RunId, usize>>>,
}

impl Projection for Herald {
    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        changes: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async move {
            let thorns =
                changes.iter().flat_map(|change| change.events).any(|event| event.payload.contains("thorns"));
            let statement = if thorns { "SELECT 1 / 0" } else { "SELECT 1" };
            sqlx::query(statement).execute(connection).await.map(drop)
        }
        .boxed()
    }

    fn committed(&self, changes: &[Change<'_>]) {
        let mut heard = self.heard.lock().unwrap();
        for change in changes {
            *heard.entry(change.run).or_default() += change.events.len();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_hears_once_of_what_is_durable_and_of_nothing_else() {
    let herald = Herald::default();
    let listening = herald.clone();
    let engine = TestEngine::builder()
        .catalog(move |script| {
            let definition = greenhouse(1, script, at_once()).projection(listening);
            Catalog::new([definition.build().unwrap()]).unwrap()
        })
        .start()
        .await;
    let runs = engine.enqueue_many(10).await;
    let poison = runs[4];
    let output = serde_json::json!({ "bed": "thorns", "amount": 1 });
    let thorns = move |run| if run == poison { Act::Output(output.clone()) } else { Act::Work };
    advance_together(&engine, 10, thorns).await;
    engine.resume(poison, None).await;
    engine.client.cancel(poison, &TestEngine::operator(), "too prickly").await.unwrap();
    for run in runs {
        let durable = engine.log(run).await.len() - 1;
        assert_eq!(herald.heard.lock().unwrap()[&run], durable, "all but its creation, each once");
    }
    engine.finish().await;
}

/// For every step: the connection breaks where `cut` says while the step's checkpoint is written.
async fn survives_a_cut(engine: TestEngine, cut: Cut, needle: impl Fn(usize) -> &'static str) {
    let proxy = Proxy::before(&engine.url()).await;
    let pool = database::connect(&proxy.url(&engine.url())).await;
    for (position, step) in STEPS.iter().enumerate() {
        let run = engine.enqueue().await;
        let gate = Gate::new();
        let at = gate.clone();
        engine.script.set(move |call| if call.step == *step { Act::Pass(at.clone()) } else { Act::Work });
        let worker = engine.hand_on("gardener", pool.clone()).await;
        let task = worker.spawn(worker.claim_one().await);
        gate.reached().await;
        let before = proxy.cuts();
        proxy.cut(cut, needle(position));
        gate.open();
        assert_eq!(task.await.unwrap(), Ended::Closed, "the run goes on");
        assert_eq!(proxy.cuts(), before + 1, "the connection was cut at {step}");
        let expected: BTreeMap<String, usize> = STEPS.iter().map(|step| ((*step).to_owned(), 1)).collect();
        assert_eq!(engine.checkpoints(run).await, expected);
        assert_eq!(engine.script.calls_of(run, step).len(), 1, "{step} was done once");
    }
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_whose_answer_was_lost_is_recognised() {
    let engine = TestEngine::builder().start().await;
    survives_a_cut(engine, Cut::Answer, |_| "step_completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_never_arrived_is_written_again() {
    let engine = TestEngine::builder().start().await;
    survives_a_cut(engine, Cut::Statement, |_| "step_completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_commit_was_not_answered_is_recognised() {
    let engine = ledger_engine().await;
    survives_a_cut(engine, Cut::Answer, |_| "COMMIT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_cut_before_its_commit_is_done_again_as_a_whole() {
    let engine = ledger_engine().await;
    survives_a_cut(engine, Cut::Statement, |_| "COMMIT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_connections_break_again_and_again_completes_everything() {
    let mut engine = TestEngine::builder().start().await;
    let proxy = Proxy::before(&engine.url()).await;
    engine.add_worker_at(&proxy.url(&engine.url())).await;
    for round in 0..12 {
        let runs = engine.enqueue_many(10).await;
        proxy.cut(if round % 2 == 0 { Cut::Answer } else { Cut::Statement }, "step_completed");
        for run in runs {
            engine.ends(run, RunStatus::Completed).await;
        }
    }
    assert_eq!(proxy.cuts(), 12);
    let calls = engine.script.calls();
    assert_eq!(calls.len(), 12 * 10 * 6, "no step was done twice");
    engine.finish().await;
}

/// A worker loses the answer to its first claim, of five runs, and then the connections that `then` names.
async fn loses_a_claim(then: &[(Cut, &'static str)]) {
    let mut engine = TestEngine::builder()
        .options(|options| options.lease = std::time::Duration::from_millis(1_500))
        .start()
        .await;
    let proxy = Proxy::before(&engine.url()).await;
    engine.enqueue_many(5).await;
    // Only a claim answers with an input.
    proxy.cut(Cut::Result, "plants");
    then.iter().for_each(|(cut, needle)| proxy.cut(*cut, needle));
    engine.add_worker_at(&proxy.url(&engine.url())).await;
    engine.drain().await;
    assert_eq!(proxy.cuts(), 1 + then.len());
    let attempts: Vec<_> = engine.script.calls().into_iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1; 30]);
    engine.finish().await;
}

/// The answer to a claim is lost: the database has leased runs to a worker that does not know it.
#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_claim_whose_answer_was_lost_are_found_again() {
    loses_a_claim(&[]).await;
}

/// Handing them back fails at first, and so does looking for them.
#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_lost_claim_are_handed_back_though_that_fails_at_first() {
    loses_a_claim(&[(Cut::Statement, "worker_id = $1"), (Cut::Statement, "greatest(run.attempt")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_loses_the_database_while_it_registers_registers_again() {
    for cut in [Cut::Statement, Cut::Answer] {
        let mut engine = TestEngine::builder().start().await;
        let proxy = Proxy::before(&engine.url()).await;
        proxy.cut(cut, "INSERT INTO workers");
        let run = engine.enqueue().await;
        engine.add_worker_at(&proxy.url(&engine.url())).await;
        engine.ends(run, RunStatus::Completed).await;
        assert_eq!(proxy.cuts(), 1);
        engine.finish().await;
    }
}
