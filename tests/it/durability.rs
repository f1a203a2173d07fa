//! Whatever happens at whichever step: the run completes, and each step has one checkpoint.

use crate::support::{
    Act, Gate, TestEngine,
    greenhouse::{STEPS, at_once},
    hand::HandWorker,
    seconds,
};
use std::collections::BTreeMap;
use ticketflow_engine::{
    RunId, StepPolicy,
    executor::Ended,
    status::{LiveState, RunStatus},
};

/// What goes wrong at a step's first call.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The worker dies in the middle of the step.
    CrashInStep,
    /// The worker dies after the step, before it could write the checkpoint.
    CrashBeforeCommit,
    /// A worker that lost its lease ends the step a second time, after another one.
    Repeat,
    /// The step asks for another attempt.
    Retry,
    /// The step panics.
    Panic,
    /// The step never ends.
    TimeOut,
    /// The step fails for good, and an operator resumes the run.
    Fail,
}

async fn every_step_survives(fault: Fault) {
    let policy = StepPolicy { timeout_ms: 150, ..at_once() };
    let policy = if matches!(fault, Fault::TimeOut) { policy } else { at_once() };
    let engine = TestEngine::builder().policy(policy).start().await;
    for step in STEPS {
        let run = engine.enqueue().await;
        let worker = engine.hand("first").await;
        let lease = worker.claim_one().await;
        assert_eq!(lease.id, run);
        happen(&engine, &worker, lease, step, fault).await;
        complete(&engine, run).await;
        assert_one_checkpoint_per_step(&engine, run, step, fault).await;
    }
    engine.finish().await;
}

/// Lets the fault happen to the leased run at `step`.
async fn happen(
    engine: &TestEngine,
    worker: &HandWorker,
    lease: ticketflow_engine::store::claim::LeasedRun,
    step: &'static str,
    fault: Fault,
) {
    let gate = Gate::new();
    let act = match fault {
        Fault::CrashInStep | Fault::Repeat => Act::Pass(gate.clone()),
        Fault::CrashBeforeCommit => Act::LoseLease(worker.fence.clone()),
        Fault::Retry => Act::Retry,
        Fault::Panic => Act::Panic,
        Fault::TimeOut => Act::Hang,
        Fault::Fail => Act::Fail,
    };
    engine
        .script
        .set(move |call| if call.step == step && call.number == 1 { act.clone() } else { Act::Work });
    let run = lease.id;
    let task = worker.spawn(lease);
    match fault {
        Fault::CrashInStep => {
            gate.reached().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(engine.reap_everything().await, 1);
        }
        Fault::Repeat => {
            gate.reached().await;
            assert_eq!(engine.reap_everything().await, 1);
            complete(engine, run).await;
            gate.open();
            assert_eq!(task.await.unwrap(), Ended::Fenced);
        }
        Fault::CrashBeforeCommit => {
            assert_eq!(task.await.unwrap(), Ended::Fenced);
            assert_eq!(engine.reap_everything().await, 1);
        }
        Fault::Retry | Fault::Panic | Fault::TimeOut => {
            assert!(matches!(task.await.unwrap(), Ended::Parked { wake_at: Some(_) }));
        }
        Fault::Fail => {
            assert_eq!(task.await.unwrap(), Ended::Closed);
            assert_eq!(engine.error_code(run).await.as_deref(), Some("wilted"));
            engine.resume(run, None).await;
        }
    }
}

/// Another worker brings the run to its end.
async fn complete(engine: &TestEngine, run: RunId) {
    if engine.status(run).await == RunStatus::Completed {
        return;
    }
    let worker = engine.hand("second").await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(engine.status(run).await, RunStatus::Completed);
}

async fn assert_one_checkpoint_per_step(engine: &TestEngine, run: RunId, step: &str, fault: Fault) {
    let expected: BTreeMap<String, usize> = STEPS.iter().map(|step| ((*step).to_owned(), 1)).collect();
    assert_eq!(engine.checkpoints(run).await, expected, "{fault:?} at {step}");
    let calls = engine.script.calls_of(run, step);
    assert_eq!(calls.len(), 2, "{fault:?} at {step}");
    assert_eq!(calls[0].key, calls[1].key, "an outside effect is done under one key");
    assert_eq!(engine.amount(run, "ship").await, Some(124), "{fault:?} at {step}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_crash_in_the_middle() {
    every_step_survives(Fault::CrashInStep).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_crash_before_its_commit() {
    every_step_survives(Fault::CrashBeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_being_done_twice() {
    every_step_survives(Fault::Repeat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_failed_attempt() {
    every_step_survives(Fault::Retry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_panic() {
    every_step_survives(Fault::Panic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_time_out() {
    every_step_survives(Fault::TimeOut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_failure_for_good_once_it_is_resumed() {
    every_step_survives(Fault::Fail).await;
}

/// The worker dies right after each commit: it has written the checkpoint but not begun the next step.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_each_commit_repeats_no_step() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    for (position, step) in STEPS.iter().enumerate() {
        let worker = engine.hand(&format!("worker {position}")).await;
        let gate = Gate::new();
        let at = gate.clone();
        engine.script.set(move |call| if call.step == *step { Act::Pass(at.clone()) } else { Act::Work });
        let task = worker.spawn(worker.claim_one().await);
        gate.reached().await;
        if position > 0 {
            // The step before is durable, the worker stands at the beginning of this one.
            assert_eq!(engine.live(run).await.step, *step);
        }
        task.abort();
        drop(task.await);
        assert_eq!(engine.reap_everything().await, 1);
        assert_eq!(engine.live(run).await.state, LiveState::Ready);
    }
    engine.script.set(|_| Act::Work);
    complete(&engine, run).await;
    let calls: Vec<_> = STEPS.iter().map(|step| engine.script.calls_of(run, step).len()).collect();
    assert_eq!(calls, [2; 6], "each step was begun twice, once in vain");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_run_whose_worker_never_started_it_is_taken_over() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    let dead = engine.hand("dead").await;
    drop(dead.claim_one().await);
    assert!(engine.hand("second").await.claim(1).await.is_empty(), "the lease still holds");
    engine.jump(seconds(31)).await;
    assert_eq!(engine.reap().await, 1);
    complete(&engine, run).await;
    engine.finish().await;
}
