//! A run that meets no obstacle.

use crate::support::{TestEngine, greenhouse::STEPS};
use ticketflow_engine::{audit::verify_chain, event::Event, status::RunStatus, store::event};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_six_steps_leaves_eight_events() {
    let engine = TestEngine::builder().workers(1).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    let mut expected = vec!["created"];
    expected.extend(["step_completed"; 6]);
    expected.push("completed");
    assert_eq!(engine.kinds(run).await, expected);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_runs_once_and_works_on_what_came_before() {
    let engine = TestEngine::builder().workers(1).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    let calls: Vec<_> = engine.script.calls().into_iter().map(|call| (call.step, call.attempt)).collect();
    assert_eq!(calls, STEPS.map(|step| (step, 1)));
    let mut amounts = Vec::new();
    for step in STEPS {
        amounts.push(engine.amount(run, step).await.unwrap());
    }
    assert_eq!(amounts, [3, 6, 60, 63, 123, 124]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hash_chain_verifies_in_rust_and_in_sql() {
    let engine = TestEngine::builder().workers(1).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    let rows = event::rows(&mut *engine.connection().await, run, -1, 100).await.unwrap();
    let last = verify_chain(run, &rows).unwrap();
    assert_eq!(last, engine.log(run).await.last().unwrap().hash);
    let broken: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT hash = event_hash(
                 lag(hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY seq), run_id, seq, epoch, kind, step,
                 attempt, actor, duration_ms, at, payload_digest(payload)
             ) AS chained FROM run_events WHERE run_id = $1
         ) AS event WHERE NOT chained",
    )
    .bind(run.as_uuid())
    .fetch_one(&engine.pool)
    .await
    .unwrap();
    assert_eq!((broken, rows.len()), (0, 8));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_runs_share_commits_and_all_complete() {
    let engine = TestEngine::builder().workers(2).options(|options| options.capacity = 64).start().await;
    let runs = engine.enqueue_many(300).await;
    engine.drain().await;
    for run in runs {
        assert_eq!(engine.status(run).await, RunStatus::Completed);
    }
    assert_eq!(engine.script.calls().len(), 6 * 300);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_is_taken_as_often_as_allowed_and_no_further() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| match call.step {
            "inspect" => crate::support::Act::GoTo("measure"),
            _ => crate::support::Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    assert_eq!(engine.error_code(run).await.as_deref(), Some("loop_limit"));
    assert_eq!(engine.script.calls_of(run, "measure").len(), 3);
    let keys: std::collections::BTreeSet<_> =
        engine.script.calls_of(run, "measure").into_iter().map(|call| call.key).collect();
    assert_eq!(keys.len(), 3, "each visit of a step has an idempotency key of its own");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_that_the_definition_does_not_allow_fails_the_run() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| match call.step {
            "water" => crate::support::Act::GoTo("ship"),
            _ => crate::support::Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    assert_eq!(engine.error_code(run).await.as_deref(), Some("jump_not_allowed"));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_of_a_step_stand_before_its_checkpoint() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| match call.step {
            "plan" => crate::support::Act::Note("weather"),
            _ => crate::support::Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    let log = engine.log(run).await;
    assert!(matches!(&log[2].event, Event::Noted(note) if note.topic == "weather"));
    assert!(matches!(&log[3].event, Event::StepCompleted(_)));
    engine.finish().await;
}
