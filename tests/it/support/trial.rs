//! Tries every definition of a catalog: what its runs come to undisturbed, and what they come to after a fault.

use super::{
    Gate, TestEngine,
    cases::{Case, cases},
    faults::{Blow, Fault, SABOTAGED, Saboteur},
    hand::HandWorker,
};
use futures::future::join_all;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use std::{cell::Cell, collections::BTreeMap, fmt, sync::Arc, time::Duration};
use ticketflow_engine::{
    Backoff, Catalog, Definition, Epoch, RunId, StepName, StepPolicy,
    client::EnqueueRequest,
    event::Event,
    executor::Ended,
    status::{LiveState, RunStatus},
    store::{claim::LeasedRun, lease},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than any step takes, however busy the machine is.
const TIME_OUT: Duration = Duration::from_secs(2);
/// More turns than any run takes.
const MOST_TURNS: usize = 12;
/// What only a fault leaves in a log.
const TRACES: [&str; 4] = ["lease_expired", "step_retried", "failed", "resumed"];

/// Readies a catalog for faults: its steps retry at once, and the saboteur stands around them.
pub(crate) fn sabotaged(mut catalog: Catalog, saboteur: &Saboteur, fault: Fault) -> Catalog {
    let steps = catalog.iter().flat_map(|definition| {
        definition.steps.iter().map(|step| (definition.id.workflow.to_string(), step.name.to_string()))
    });
    for (workflow, step) in steps.collect::<Vec<_>>() {
        catalog.override_policy(&workflow, &step, |policy| hasten(policy, fault)).unwrap();
    }
    catalog.around(saboteur.clone())
}

fn hasten(policy: &mut StepPolicy, fault: Fault) {
    policy.backoff = Backoff { base_ms: 0, factor: 1.0, cap_ms: 0 };
    policy.max_attempts = policy.max_attempts.max(2);
    policy.max_crashes = policy.max_crashes.max(2);
    if fault == Fault::TimeOut {
        policy.timeout_ms = TIME_OUT.as_millis().try_into().unwrap();
    }
}

/// A catalog on trial.
pub(crate) struct Trial {
    pub(crate) engine: TestEngine,
    saboteur: Saboteur,
}

/// A definition and a case to try it with.
pub(crate) struct Subject {
    pub(crate) definition: Arc<Definition>,
    pub(crate) case: Case,
}

impl Subject {
    /// What an output tells of its own run.
    fn own(&self, step: &StepName, output: &RawValue) -> Value {
        let mut output: Value = serde_json::from_str(output.get()).unwrap();
        for (_, field) in self.case.of_others.iter().filter(|(of, _)| *of == step.as_str()) {
            let told = output.as_object_mut().and_then(|fields| fields.remove(*field));
            assert!(told.is_some(), "{step} has no {field} any more");
        }
        output
    }
}

/// A run on trial.
pub(crate) struct Tried<'a> {
    subject: &'a Subject,
    pub(crate) run: RunId,
    /// What goes wrong, and at which call of the undisturbed run.
    attack: Option<(Fault, usize)>,
    gate: Arc<Gate>,
    /// How many signals it was sent.
    signals: Cell<usize>,
    /// Whether a worker took it and died before the step began.
    abandoned: Cell<bool>,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) status: RunStatus,
    /// The kinds of its events, without the traces of a fault.
    pub(crate) kinds: Vec<&'static str>,
    /// Its checkpoints in order: the step, and the step that followed.
    pub(crate) checkpoints: Vec<(String, Option<String>)>,
    /// The latest output of every step.
    pub(crate) outputs: BTreeMap<String, Value>,
    /// The keys for outside effects, each once as long as it lasted.
    pub(crate) keys: Vec<String>,
}

impl Trial {
    /// On this engine, around whose steps the saboteur stands.
    pub(crate) fn new(engine: TestEngine, saboteur: Saboteur) -> Self {
        Self { engine, saboteur }
    }

    /// Every case of every definition.
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        let definitions = self.engine.catalog.iter();
        let all = definitions.flat_map(|definition| {
            let cases = cases(&definition.id.workflow).into_iter();
            cases.map(|case| Subject { definition: definition.clone(), case })
        });
        all.collect()
    }

    /// The keys under which the run's steps were called, call by call.
    pub(crate) fn calls(&self, tried: &Tried<'_>) -> Vec<String> {
        self.saboteur.calls(tried.run)
    }

    /// Enqueues a run, and prepares what is to go wrong.
    pub(crate) async fn enqueue<'a>(
        &self,
        subject: &'a Subject,
        attack: Option<(Fault, usize)>,
    ) -> Tried<'a> {
        let input = to_raw_value(&subject.case.input).unwrap();
        let id = &subject.definition.id;
        let mut request = EnqueueRequest::new(&id.workflow, input, TestEngine::operator());
        request.version = Some(id.version);
        let run = self.engine.client.enqueue(request).await.unwrap().run();
        let gate = Gate::new();
        let blow = |fault, call| Blow { fault, call, gate: gate.clone() };
        match attack {
            // Another worker did the step before, so that this one's has only to be begun.
            Some((fault @ Fault::CrashBeforeStep, call)) if call > 0 => {
                self.saboteur.strike(run, blow(fault, call - 1));
            }
            Some((Fault::CrashBeforeStep, _)) | None => {}
            Some((fault, call)) => self.saboteur.strike(run, blow(fault, call)),
        }
        Tried { subject, run, attack, gate, signals: Cell::new(0), abandoned: Cell::new(false) }
    }

    /// Brings runs to their ends, turn by turn: in each turn every run that is ready gets a worker of its own, and all
    /// these workers are dead afterwards. Before each turn, with some runs in the middle, an audit finds nothing.
    pub(crate) async fn drive(&self, runs: &[Tried<'_>]) {
        let mut zombies = Vec::new();
        for _ in 0..MOST_TURNS {
            for tried in runs {
                self.attend(tried).await;
            }
            let report = self.engine.audit().await;
            assert!(report.is_clean(), "{:#?}", report.violations);
            let leases = self.claim_everything().await;
            if leases.is_empty() {
                break;
            }
            let turns = leases.into_iter().map(|(worker, lease)| {
                let tried = runs.iter().find(|tried| tried.run == lease.id);
                self.turn(tried.expect("it is on trial"), worker, lease)
            });
            zombies.extend(join_all(turns).await.into_iter().flatten());
            self.engine.reap_everything().await;
        }
        for tried in runs {
            tried.gate.open();
        }
        for zombie in zombies {
            assert_eq!(zombie.await.unwrap(), Ended::Fenced, "a worker that lost its lease writes nothing");
        }
    }

    /// Does what has to come from outside: the signal that is waited for, the operator who resumes what failed.
    async fn attend(&self, tried: &Tried<'_>) {
        match self.engine.status(tried.run).await {
            RunStatus::Failed => {
                let code = self.engine.error_code(tried.run).await;
                assert_eq!(code.as_deref(), Some(SABOTAGED), "{tried}");
                self.engine.resume(tried.run, None).await;
            }
            RunStatus::Live if self.engine.live(tried.run).await.state == LiveState::Waiting => {
                let sent = tried.signals.replace(tried.signals.get() + 1);
                let signal = tried.subject.case.signals.get(sent);
                let (name, payload) =
                    signal.unwrap_or_else(|| panic!("no test signal for {tried}, which waits"));
                let (payload, by) = (to_raw_value(payload).unwrap(), TestEngine::operator());
                self.engine.client.signal(tried.run, name, &payload, &by).await.unwrap();
            }
            RunStatus::Live | RunStatus::Completed | RunStatus::Cancelled => {}
        }
    }

    async fn claim_everything(&self) -> Vec<(HandWorker, LeasedRun)> {
        let mut claimed = Vec::new();
        loop {
            let worker = self.engine.hand("mortal").await;
            let Some(lease) = worker.claim(1).await.pop() else { return claimed };
            claimed.push((worker, lease));
        }
    }

    /// One worker's turn with a run. Returns the worker if it does not know that its lease is gone.
    async fn turn(
        &self,
        tried: &Tried<'_>,
        worker: HandWorker,
        lease: LeasedRun,
    ) -> Option<JoinHandle<Ended>> {
        if self.is_to_abandon(tried) {
            tried.abandoned.set(true);
            return None;
        }
        let (stop, held) = (CancellationToken::new(), (lease.id, lease.epoch));
        let mut task = worker.spawn_until(lease, stop.clone());
        tokio::select! {
            ended = &mut task => {
                ended.unwrap();
                return None;
            }
            () = tried.gate.reached() => {}
        }
        let (fault, _) = tried.attack.expect("only a fault holds a step at the gate");
        match fault {
            Fault::Repeat => return Some(task),
            Fault::HandBack => {
                self.hand_back(&worker, held).await;
                tried.gate.open();
                assert_eq!(task.await.unwrap(), Ended::Fenced, "{tried}");
            }
            Fault::CrashInStep => {
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
            Fault::CrashBeforeCommit => {
                worker.fence.close();
                tried.gate.open();
                assert_eq!(task.await.unwrap(), Ended::Fenced, "{tried}");
            }
            Fault::CrashBeforeStep | Fault::CrashAfterCommit => {
                let called = self.calls(tried);
                stop.cancel();
                tried.gate.open();
                task.await.unwrap();
                assert_eq!(self.calls(tried), called, "it died before the next call: {tried}");
            }
            Fault::Retry | Fault::Panic | Fault::TimeOut | Fault::Fail => panic!("{fault:?} holds nothing"),
        }
        None
    }

    async fn hand_back(&self, worker: &HandWorker, held: (RunId, Epoch)) {
        let mut transaction = self.engine.pool.begin().await.unwrap();
        assert_eq!(lease::hand_back(&mut transaction, worker.id, &[held]).await.unwrap(), 1);
        transaction.commit().await.unwrap();
    }

    /// Whether the worker that just took the run is to die before it begins.
    fn is_to_abandon(&self, tried: &Tried<'_>) -> bool {
        let due = |call| call == self.calls(tried).len() && !tried.abandoned.get();
        matches!(tried.attack, Some((Fault::CrashBeforeStep, call)) if due(call))
    }

    /// What a run came to, and the traces of faults in its log.
    pub(crate) async fn course(&self, tried: &Tried<'_>) -> (Course, Vec<&'static str>) {
        let (log, history) = (self.engine.log(tried.run).await, self.engine.history(tried.run).await);
        let kinds = log.iter().map(|record| record.event.kind().as_str());
        let (traces, kinds) = kinds.partition(|kind| TRACES.contains(kind));
        let checkpoints = log.iter().filter_map(|record| {
            let Event::StepCompleted(done) = &record.event else { return None };
            let step = record.step.as_ref().expect("a checkpoint is of a step");
            Some((step.to_string(), done.next.as_ref().map(ToString::to_string)))
        });
        let outputs =
            history.outputs().map(|(step, output)| (step.to_string(), tried.subject.own(step, output)));
        let mut keys = self.calls(tried);
        keys.dedup();
        let status = self.engine.status(tried.run).await;
        (
            Course { status, kinds, checkpoints: checkpoints.collect(), outputs: outputs.collect(), keys },
            traces,
        )
    }

    /// Whether what was to go wrong did.
    pub(crate) fn is_struck(&self, tried: &Tried<'_>) -> bool {
        let before = matches!(tried.attack, Some((Fault::CrashBeforeStep, _)));
        !self.saboteur.is_to_strike(tried.run) && (!before || tried.abandoned.get())
    }
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject { definition, case } = self.subject;
        match self.attack {
            Some((fault, call)) => write!(f, "{fault:?} at call {call} of {}, {}", definition.id, case.name),
            None => write!(f, "{}, {}, undisturbed", definition.id, case.name),
        }
    }
}
