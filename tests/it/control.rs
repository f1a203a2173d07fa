//! Operators' actions on a run in each state it can be in.

use crate::{
    support::{Act, Gate, TestEngine, hand::HandWorker, seconds},
    versions::{both_versions, old_version},
};
use std::{collections::BTreeMap, sync::Arc};
use ticketflow_engine::{
    ControlError, RunId, StepName,
    executor::Ended,
    status::{LiveState, RunStatus},
    store::control,
};
use tokio::task::JoinHandle;

/// The states an action may meet a run in.
const STATES: [LiveState; 4] = [LiveState::Ready, LiveState::Leased, LiveState::Sleeping, LiveState::Waiting];

/// A run that stands at `water` in the wanted state, and the worker that brought it there.
struct Scene {
    engine: TestEngine,
    run: RunId,
    worker: HandWorker,
    gate: Arc<Gate>,
    held: Option<JoinHandle<Ended>>,
}

impl Scene {
    async fn with(state: LiveState) -> Self {
        let gate = Gate::new();
        let act = match state {
            LiveState::Sleeping => Act::Sleep(seconds(3_600)),
            LiveState::Waiting => Act::Wait("rain", None),
            LiveState::Ready | LiveState::Blocked | LiveState::Leased | LiveState::Paused => {
                Act::Pass(gate.clone())
            }
        };
        let engine = TestEngine::builder()
            .catalog(old_version)
            .script(
                move |call| if call.step == "water" && call.number == 1 { act.clone() } else { Act::Work },
            )
            .start()
            .await;
        let run = engine.enqueue().await;
        let worker = engine.hand("first").await;
        let mut scene = Self { engine, run, worker, gate, held: None };
        scene.arrange(state).await;
        assert_eq!(scene.engine.live(run).await.state, state);
        scene
    }

    async fn arrange(&mut self, state: LiveState) {
        let task = self.worker.spawn(self.worker.claim_one().await);
        if matches!(state, LiveState::Sleeping | LiveState::Waiting) {
            task.await.unwrap();
            return;
        }
        self.gate.reached().await;
        if state == LiveState::Leased {
            self.held = Some(task);
        } else {
            task.abort();
            drop(task.await);
            self.engine.reap_everything().await;
        }
    }

    /// The worker that held the run finds out that it does not any more.
    async fn assert_fenced(&mut self) {
        if let Some(held) = self.held.take() {
            self.gate.open();
            assert_eq!(held.await.unwrap(), Ended::Fenced);
        }
    }

    async fn complete(&self) {
        let worker = self.engine.hand("second").await;
        assert_eq!(worker.work().await, (self.run, Ended::Closed));
        assert_eq!(self.engine.status(self.run).await, RunStatus::Completed);
    }
}

fn advice(result: Result<(), ControlError>) -> String {
    let error = result.unwrap_err();
    let ControlError::Conflict { status, advice, .. } = error else { panic!("not a conflict: {error}") };
    format!("{status}: {advice}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_cancelled_in_every_state() {
    for state in STATES {
        let mut scene = Scene::with(state).await;
        scene.engine.client.cancel(scene.run, &TestEngine::operator(), "frost").await.unwrap();
        scene.assert_fenced().await;
        assert_eq!(scene.engine.status(scene.run).await, RunStatus::Cancelled, "{state}");
        assert_eq!(scene.engine.kinds(scene.run).await.last(), Some(&"cancelled"));
        scene.engine.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_paused_in_every_state_and_goes_on_where_it_stood() {
    for state in STATES {
        let mut scene = Scene::with(state).await;
        let engine = &scene.engine;
        engine.client.pause(scene.run, &TestEngine::operator(), "lunch").await.unwrap();
        assert_eq!(engine.live(scene.run).await.state, LiveState::Paused, "{state}");
        scene.assert_fenced().await;
        scene.engine.advance_clock(seconds(7_200)).await;
        assert!(scene.engine.hand("third").await.claim(1).await.is_empty(), "a paused run is left alone");
        scene.engine.resume(scene.run, None).await;
        if state == LiveState::Waiting {
            scene.engine.signal(scene.run, "rain", 1).await;
        }
        scene.complete().await;
        assert_eq!(scene.engine.script.calls_of(scene.run, "plan").len(), 1);
        scene.engine.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_can_be_ended_at_once_and_nothing_else_can() {
    for state in STATES {
        let mut scene = Scene::with(state).await;
        let done = scene.engine.client.retry_now(scene.run, &TestEngine::operator(), "now").await;
        if state == LiveState::Sleeping {
            done.unwrap();
            scene.complete().await;
        } else {
            assert!(advice(done).contains("only a run that sleeps can be retried at once"), "{state}");
            scene.gate.open();
            if let Some(held) = scene.held.take() {
                assert_eq!(held.await.unwrap(), Ended::Closed, "a refused action takes nobody's lease");
            }
        }
        scene.engine.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backoff_can_be_ended_at_once() {
    let engine = TestEngine::builder()
        .script(|call| match (call.step, call.number) {
            ("water", 1) => Act::RetryAfter(seconds(3_600)),
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    assert!(worker.claim(1).await.is_empty());
    engine.client.retry_now(run, &TestEngine::operator(), "the hose is free").await.unwrap();
    assert_eq!(worker.work().await, (run, Ended::Closed));
    engine.finish().await;
}

/// The numbers of the attempts that the step at `water` was told.
fn attempts(engine: &TestEngine, run: RunId) -> Vec<i32> {
    engine.script.calls_of(run, "water").iter().map(|call| call.attempt).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_count_on_over_a_pause_and_an_ended_backoff_and_anew_after_a_resume_from_a_step() {
    let engine = TestEngine::builder()
        .script(|call| match (call.step, call.number) {
            ("water", 1..=3) => Act::RetryAfter(seconds(3_600)),
            _ => Act::Work,
        })
        .start()
        .await;
    let (client, operator) = (&engine.client, TestEngine::operator());
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    client.retry_now(run, &operator, "the hose is free").await.unwrap();
    worker.work().await;
    client.pause(run, &operator, "lunch").await.unwrap();
    engine.resume(run, None).await;
    client.retry_now(run, &operator, "after lunch").await.unwrap();
    worker.work().await;
    assert_eq!(attempts(&engine, run), [1, 2, 3]);
    client.pause(run, &operator, "another hose").await.unwrap();
    engine.resume(run, Some("water")).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(attempts(&engine, run), [1, 2, 3, 1]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_may_begin_anew_when_an_operator_has_set_the_run_back() {
    let engine = TestEngine::builder()
        .script(|call| match (call.step, call.number) {
            // Sent back once too often, and then as often again as is allowed.
            ("inspect", 1..=5) => Act::GoTo("measure"),
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    assert_eq!(engine.error_code(run).await.as_deref(), Some("loop_limit"));
    engine.resume(run, Some("measure")).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(engine.status(run).await, RunStatus::Completed);
    let keys: std::collections::BTreeSet<_> =
        engine.script.calls_of(run, "measure").into_iter().map(|call| call.key).collect();
    assert_eq!(keys.len(), 6, "every execution has a key of its own");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_forked_in_every_state_and_is_left_as_it_is() {
    for state in STATES {
        let scene = Scene::with(state).await;
        let before = scene.engine.kinds(scene.run).await;
        let edited = serde_json::json!({ "bed": "south", "amount": 40 });
        let edited =
            BTreeMap::from([(StepName::new("plan"), serde_json::value::to_raw_value(&edited).unwrap())]);
        let from = StepName::new("water");
        let fork = scene
            .engine
            .client
            .fork(scene.run, &TestEngine::operator(), "a test", from, edited)
            .await
            .unwrap();
        assert_eq!(scene.engine.kinds(scene.run).await, before);
        assert_eq!(scene.engine.live(scene.run).await.state, state);
        let worker = scene.engine.hand("second").await;
        scene.engine.script.set(|_| Act::Work);
        while scene.engine.status(fork).await == RunStatus::Live {
            worker.work().await;
        }
        assert_eq!(scene.engine.amount(fork, "water").await, Some(400));
        assert!(scene.engine.script.calls_of(fork, "measure").is_empty(), "taken over, not done again");
        let header =
            control::header(&mut *scene.engine.connection().await, fork, false).await.unwrap().unwrap();
        assert_eq!(header.parent, Some(scene.run));
        scene.engine.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_migrated_in_every_state() {
    for state in STATES {
        let mut scene = Scene::with(state).await;
        scene.engine.catalog = both_versions(&scene.engine.script);
        let client = scene.engine.client_of(scene.engine.catalog.clone());
        let to = StepName::new("water");
        client.migrate(scene.run, &TestEngine::operator(), "no plan", 2, to).await.unwrap();
        scene.assert_fenced().await;
        scene.engine.script.set(|_| Act::Work);
        scene.complete().await;
        assert_eq!(scene.engine.amount(scene.run, "water").await, Some(30), "{state}: water by the measure");
        assert!(scene.engine.script.calls_of(scene.run, "harvest").is_empty());
        scene.engine.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_says_what_can_be_done_instead() {
    let engine = TestEngine::builder().workers(1).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    let operator = TestEngine::operator();
    let client = &engine.client;
    assert_eq!(advice(client.cancel(run, &operator, "").await), "completed: it is finished already");
    let paused = advice(client.pause(run, &operator, "").await);
    assert_eq!(paused, "completed: only a run that is under way can be paused");
    let resumed = advice(client.resume(run, &operator, "", None, BTreeMap::new()).await);
    assert!(resumed.ends_with("a completed one can be forked"), "{resumed}");
    let migrated = advice(client.migrate(run, &operator, "", 1, StepName::new("water")).await);
    assert_eq!(migrated, "completed: only a live run can be migrated");
    let unknown = RunId::from_uuid(uuid::Uuid::nil());
    assert!(matches!(client.cancel(unknown, &operator, "").await, Err(ControlError::NotFound(_))));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_can_be_resumed() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    engine.client.cancel(run, &TestEngine::operator(), "frost").await.unwrap();
    assert!(engine.hand("first").await.claim(1).await.is_empty());
    engine.resume(run, None).await;
    assert_eq!(engine.hand("second").await.work().await, (run, Ended::Closed));
    engine.finish().await;
}

/// Two operators resume at the same moment: one does, the other is told.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_equal_actions_at_once_one_wins() {
    let engine = TestEngine::builder().start().await;
    for _ in 0..20 {
        let run = engine.enqueue().await;
        let (client, operator) = (&engine.client, TestEngine::operator());
        let done = tokio::join!(client.cancel(run, &operator, "one"), client.cancel(run, &operator, "two"));
        assert_eq!(usize::from(done.0.is_ok()) + usize::from(done.1.is_ok()), 1);
        let resume = || client.resume(run, &operator, "", None, BTreeMap::new());
        let done = tokio::join!(resume(), resume());
        assert_eq!(usize::from(done.0.is_ok()) + usize::from(done.1.is_ok()), 1);
    }
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_output_that_does_not_fit_is_refused() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    let operator = TestEngine::operator();
    engine.client.cancel(run, &operator, "frost").await.unwrap();
    let wrong = serde_json::value::to_raw_value(&serde_json::json!({ "bed": 7 })).unwrap();
    let edited = BTreeMap::from([(StepName::new("measure"), wrong)]);
    let refused = engine.client.resume(run, &operator, "", Some(StepName::new("plan")), edited).await;
    assert!(matches!(refused, Err(ControlError::BadValue { .. })));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_takes_no_lease_and_changes_nothing_else() {
    let engine = TestEngine::builder().start().await;
    let gate = Gate::new();
    let at = gate.clone();
    engine.script.set(move |call| if call.step == "water" { Act::Pass(at.clone()) } else { Act::Work });
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    let task = worker.spawn(worker.claim_one().await);
    gate.reached().await;
    let note =
        ticketflow_engine::event::Note { topic: "weather".to_owned(), data: serde_json::json!("sunny") };
    let mut connection = engine.connection().await;
    engine.client.annotate(&mut connection, run, &TestEngine::operator(), note.clone()).await.unwrap();
    drop(connection);
    gate.open();
    assert_eq!(task.await.unwrap(), Ended::Closed, "the worker folds it in and goes on");
    let mut connection = engine.connection().await;
    engine.client.annotate(&mut connection, run, &TestEngine::operator(), note).await.unwrap();
    drop(connection);
    let kinds = engine.kinds(run).await;
    assert_eq!(kinds.iter().filter(|kind| **kind == "annotated").count(), 2);
    assert_eq!(kinds.last(), Some(&"annotated"));
    engine.finish().await;
}
