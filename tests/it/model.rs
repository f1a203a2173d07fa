//! Random sequences of operations, on the pure transition function and on the real SQL: the two agree at every step.

use crate::support::{Act, TestEngine, hand::HandWorker, seconds};
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    test_runner::{Config, TestRunner},
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};
use ticketflow_engine::{
    ControlError, RunId,
    executor::Ended,
    history::History,
    status::{LiveState, RunStatus},
    store::{claim::LeasedRun, control},
    transition::{Effect, Phase},
};

/// What a step answers.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Work,
    Retry,
    Fail,
    Sleep,
    Wait,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Enqueue,
    /// Some run is claimed and held.
    Claim,
    /// A held run goes on until it rests, its next step answering like this.
    GoOn(usize, Answer),
    Signal(usize, bool),
    Pause(usize),
    Resume(usize, bool),
    Cancel(usize),
    RetryNow(usize),
    Annotate(usize),
    /// The worker is declared dead, and its runs are taken from it.
    Reap,
    Advance,
}

fn operation() -> impl Strategy<Value = Operation> {
    let answer = prop_oneof![
        4 => proptest::strategy::Just(Answer::Work),
        1 => proptest::strategy::Just(Answer::Retry),
        1 => proptest::strategy::Just(Answer::Fail),
        2 => proptest::strategy::Just(Answer::Sleep),
        2 => proptest::strategy::Just(Answer::Wait),
    ];
    let which = 0usize..3;
    prop_oneof![
        2 => proptest::strategy::Just(Operation::Enqueue),
        6 => proptest::strategy::Just(Operation::Claim),
        8 => (0usize..4, answer).prop_map(|(held, answer)| Operation::GoOn(held, answer)),
        3 => (which.clone(), any::<bool>()).prop_map(|(run, right)| Operation::Signal(run, right)),
        2 => which.clone().prop_map(Operation::Pause),
        3 => (which.clone(), any::<bool>()).prop_map(|(run, back)| Operation::Resume(run, back)),
        1 => which.clone().prop_map(Operation::Cancel),
        2 => which.clone().prop_map(Operation::RetryNow),
        1 => which.prop_map(Operation::Annotate),
        2 => proptest::strategy::Just(Operation::Reap),
        2 => proptest::strategy::Just(Operation::Advance),
    ]
}

/// What the model knows of a run besides its folded log.
#[derive(Debug, Default)]
struct Known {
    events: usize,
    epoch: i64,
    signals: i32,
}

/// The system under test and what the model knows about it.
struct World<'a> {
    engine: &'a TestEngine,
    worker: HandWorker,
    workers: usize,
    runs: Vec<RunId>,
    known: BTreeMap<RunId, Known>,
    held: Vec<LeasedRun>,
}

impl<'a> World<'a> {
    async fn new(engine: &'a TestEngine) -> Self {
        let worker = engine.hand("gardener-0").await;
        Self { engine, worker, workers: 0, runs: Vec::new(), known: BTreeMap::new(), held: Vec::new() }
    }

    fn run(&self, number: usize) -> Option<RunId> {
        (!self.runs.is_empty()).then(|| self.runs[number % self.runs.len()])
    }

    async fn phase(&self, run: RunId) -> Phase {
        self.engine.history(run).await.state.phase
    }

    async fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Enqueue if self.runs.len() < 3 => {
                let run = self.engine.enqueue().await;
                self.runs.push(run);
                self.known.insert(run, Known::default());
            }
            Operation::Enqueue => {}
            Operation::Claim => self.claim().await,
            Operation::GoOn(held, answer) => self.go_on(held, answer).await,
            Operation::Signal(run, right) => self.signal(run, right).await,
            Operation::Reap => self.reap().await,
            Operation::Advance => self.engine.advance_clock(seconds(1_800)).await,
            Operation::Pause(run)
            | Operation::Resume(run, _)
            | Operation::Cancel(run)
            | Operation::RetryNow(run)
            | Operation::Annotate(run) => {
                if let Some(run) = self.run(run) {
                    self.intervene(run, operation).await;
                }
            }
        }
    }

    async fn claim(&mut self) {
        for lease in self.worker.claim(1).await {
            let phase = self.phase(lease.id).await;
            assert!(
                phase.effect() == Effect::Run || matches!(phase.effect(), Effect::Park { .. }),
                "{phase:?}"
            );
            assert!(!matches!(phase, Phase::Paused { .. }), "a paused run was claimed");
            self.held.push(lease);
        }
    }

    /// A held run goes on. Whether its lease still counts, the model knows by the epoch.
    async fn go_on(&mut self, number: usize, answer: Answer) {
        if self.held.is_empty() {
            return;
        }
        let lease = self.held.remove(number % self.held.len());
        let run = lease.id;
        let before = self.engine.log(run).await.len();
        let valid = control::live(&mut *self.engine.connection().await, run, false)
            .await
            .unwrap()
            .is_some_and(|row| row.epoch == lease.epoch);
        self.script(answer);
        let ended = self.worker.advance(lease).await;
        let after = self.engine.log(run).await.len();
        if valid {
            assert_ne!(ended, Ended::Fenced, "a good lease was refused");
        } else {
            assert_eq!((ended, after), (Ended::Fenced, before), "a stale lease wrote something");
        }
    }

    /// The next call answers like this; the one after rests, so that one operation is about one step.
    fn script(&self, answer: Answer) {
        let answered = AtomicBool::new(false);
        self.engine.script.set(move |_| match (answered.swap(true, Ordering::SeqCst), answer) {
            (false, Answer::Work) => Act::Work,
            (false, Answer::Retry) => Act::Retry,
            (false, Answer::Fail) => Act::Fail,
            (false, Answer::Wait) => Act::Wait("rain", Some(seconds(3_600))),
            (false, Answer::Sleep) | (true, _) => Act::Sleep(seconds(3_600)),
        });
    }

    async fn signal(&mut self, run: usize, right: bool) {
        let Some(run) = self.run(run) else { return };
        let live = self.engine.status(run).await == RunStatus::Live;
        let payload = serde_json::value::RawValue::from_string("1".to_owned()).unwrap();
        let name = if right { "rain" } else { "hail" };
        let sent = self.engine.client.signal(run, name, &payload, &TestEngine::operator()).await;
        assert_eq!(sent.is_ok(), live);
        self.known.entry(run).or_default().signals += i32::from(live);
    }

    /// The action is done if the transition function says that its event may follow, and refused otherwise.
    async fn intervene(&mut self, run: RunId, operation: Operation) {
        let phase = self.phase(run).await;
        let closed = matches!(phase, Phase::Failed | Phase::Cancelled | Phase::Completed);
        let (client, operator) = (&self.engine.client, TestEngine::operator());
        let (done, legal) = match operation {
            Operation::Pause(_) => {
                (client.pause(run, &operator, "").await, !closed && !matches!(phase, Phase::Paused { .. }))
            }
            Operation::Cancel(_) => (client.cancel(run, &operator, "").await, !closed),
            Operation::RetryNow(_) => {
                let sleeps = matches!(phase, Phase::Backoff { .. } | Phase::Sleeping { .. });
                (client.retry_now(run, &operator, "").await, sleeps)
            }
            Operation::Resume(_, back) => {
                let from = back.then(|| ticketflow_engine::StepName::new("measure"));
                let rests = matches!(phase, Phase::Paused { .. } | Phase::Failed | Phase::Cancelled);
                (client.resume(run, &operator, "", from, BTreeMap::new()).await, rests)
            }
            Operation::Annotate(_) => (self.annotate(run).await, true),
            Operation::Enqueue
            | Operation::Claim
            | Operation::GoOn(..)
            | Operation::Signal(..)
            | Operation::Reap
            | Operation::Advance => return,
        };
        match done {
            Ok(()) => assert!(legal, "{operation:?} was done to a run that is {}", phase.name()),
            Err(ControlError::Conflict { .. }) => assert!(!legal, "{operation:?} refused: {}", phase.name()),
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn annotate(&self, run: RunId) -> Result<(), ControlError> {
        let note =
            ticketflow_engine::event::Note { topic: "weather".to_owned(), data: serde_json::Value::Null };
        let mut transaction = self.engine.pool.begin().await.unwrap();
        let done = self.engine.client.annotate(&mut transaction, run, &TestEngine::operator(), note).await;
        transaction.commit().await.unwrap();
        done
    }

    async fn reap(&mut self) {
        self.engine.reap_everything().await;
        self.workers += 1;
        self.worker = self.engine.hand(&format!("gardener-{}", self.workers)).await;
    }

    /// Leaves nothing to claim for the next world.
    async fn end(self) {
        for run in self.runs {
            if self.engine.status(run).await == RunStatus::Live {
                self.engine.client.cancel(run, &TestEngine::operator(), "the world ends").await.unwrap();
            }
        }
    }

    /// The rows say what the log says, and nothing ever goes back.
    async fn check(&mut self) {
        for &run in &self.runs {
            let log = self.engine.log(run).await;
            let history = History::fold(run, &log).expect("the log is a legal history");
            let row = control::live(&mut *self.engine.connection().await, run, false).await.unwrap();
            let status = self.engine.status(run).await;
            match history.state.phase.effect() {
                Effect::Close(expected) => assert!(row.is_none() && status == expected),
                Effect::Finish => panic!("a run was left without its closing event"),
                Effect::Run | Effect::Park { .. } => {
                    let row = row.expect("a run that is not over has a live row");
                    assert_eq!(status, RunStatus::Live);
                    assert_eq!((row.seq, row.step.as_str()), (history.seq, history.state.step.as_str()));
                    assert!(
                        fits(&history.state.phase, row.state),
                        "{:?}: {}",
                        history.state.phase,
                        row.state
                    );
                    let known = self.known.entry(run).or_default();
                    assert!(row.epoch.0 >= known.epoch, "the epoch fell");
                    assert_eq!(row.signal_count, known.signals, "a signal was lost");
                    known.epoch = row.epoch.0;
                }
            }
            let known = self.known.entry(run).or_default();
            assert!(log.len() >= known.events, "the log got shorter");
            known.events = log.len();
        }
    }
}

/// Which states the live row may be in, in this phase.
fn fits(phase: &Phase, state: LiveState) -> bool {
    match phase {
        Phase::Runnable => matches!(state, LiveState::Ready | LiveState::Leased),
        Phase::Backoff { .. } | Phase::Sleeping { .. } => {
            matches!(state, LiveState::Sleeping | LiveState::Leased | LiveState::Ready)
        }
        Phase::Waiting { .. } => matches!(state, LiveState::Waiting | LiveState::Leased | LiveState::Ready),
        Phase::Paused { .. } => state == LiveState::Paused,
        Phase::Finishing | Phase::Failed | Phase::Cancelled | Phase::Completed => false,
    }
}

#[test]
fn random_operations_keep_rows_and_logs_in_agreement() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let engine = runtime.block_on(TestEngine::builder().start());
    let config = Config { cases: 80, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let sequences = proptest::collection::vec(operation(), 10..60);
    let outcome = TestRunner::new(config).run(&sequences, |operations| {
        runtime.block_on(async {
            let mut world = World::new(&engine).await;
            for operation in operations {
                world.apply(operation).await;
                world.check().await;
            }
            world.end().await;
        });
        Ok(())
    });
    runtime.block_on(engine.finish());
    outcome.unwrap();
}
