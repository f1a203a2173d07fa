//! Whatever happens at whichever step of whichever workflow: the run comes to what it comes to undisturbed, and each
//! execution of a step has one checkpoint.
//!
//! Nothing here names a step. Undisturbed runs tell at which calls a fault can strike, and the definitions tell whether
//! these were all: a workflow, a step or a jump that no test input leads through fails the tests.

use crate::support::{
    Act, TestEngine,
    faults::{Fault, Saboteur},
    greenhouse::{LOOPS, at_once, greenhouse},
    receiver::{Receiver, SECRET},
    seconds,
    trial::{Course, Subject, Trial, Tried, sabotaged},
};
use std::collections::BTreeSet;
use ticketflow_engine::{Catalog, executor::Ended, status::RunStatus};
use ticketflow_workflows::{TriageSettings, triage::Actions};

/// The program's catalog. No link is allowed in a draft, so that some drafts are sent back; what is done besides a reply
/// is done by the receiver.
async fn desk(fault: Fault, receiver: &Receiver) -> Trial {
    let actions = Actions::parse(&receiver.actions(10_000, 4), |_| Ok(Some(SECRET.to_owned()))).unwrap();
    let saboteur = Saboteur::default();
    let around = saboteur.clone();
    let engine = TestEngine::builder().desk(move |pool| {
        let mut settings = TriageSettings::new(pool.clone());
        settings.policy.review.allowed_links.clear();
        settings.policy.actions = actions;
        sabotaged(ticketflow_workflows::catalog(settings).unwrap(), &around, fault)
    });
    Trial::new(engine.start().await, saboteur)
}

/// A workflow that has nothing to do with tickets, which goes round its loop as often as it may.
async fn garden(fault: Fault) -> Trial {
    let saboteur = Saboteur::default();
    let around = saboteur.clone();
    let engine = TestEngine::builder()
        .script(|call| {
            let visit: u32 = call.key.rsplit('/').next().unwrap().parse().unwrap();
            if call.step == "inspect" && visit <= LOOPS { Act::GoTo("measure") } else { Act::Work }
        })
        .catalog(move |script| {
            let greenhouse = greenhouse(1, script, at_once()).build().unwrap();
            sabotaged(Catalog::new([greenhouse]).unwrap(), &around, fault)
        });
    Trial::new(engine.start().await, saboteur)
}

/// What a case comes to undisturbed, and how many calls that takes.
struct Undisturbed<'a> {
    subject: &'a Subject,
    course: Course,
    calls: Vec<String>,
}

async fn undisturbed<'a>(trial: &Trial, subjects: &'a [Subject]) -> Vec<Undisturbed<'a>> {
    let mut runs = Vec::new();
    for subject in subjects {
        runs.push(trial.enqueue(subject, None).await);
    }
    trial.drive(&runs).await;
    let mut courses = Vec::new();
    for (tried, subject) in runs.iter().zip(subjects) {
        let (course, traces) = trial.course(tried).await;
        assert!(
            course.status == RunStatus::Completed && traces.is_empty(),
            "{tried}: {traces:?} in {course:#?}"
        );
        courses.push(Undisturbed { subject, course, calls: trial.calls(tried) });
    }
    courses
}

async fn every_step_survives(fault: Fault) {
    let receiver = Receiver::start().await;
    let (desk, garden) = tokio::join!(desk(fault, &receiver), garden(fault));
    tokio::join!(every_call_survives(desk, fault), every_call_survives(garden, fault));
    receiver.assert_each_was_done_once();
}

async fn every_call_survives(trial: Trial, fault: Fault) {
    let subjects = trial.subjects();
    let undisturbed = undisturbed(&trial, &subjects).await;
    assert_everything_is_tried(&trial, &undisturbed);
    let (mut runs, mut expected) = (Vec::new(), Vec::new());
    for one in &undisturbed {
        for call in 0..one.calls.len() {
            runs.push(trial.enqueue(one.subject, Some((fault, call))).await);
            expected.push((one, call));
        }
    }
    trial.drive(&runs).await;
    for (tried, (one, call)) in runs.iter().zip(expected) {
        assert!(trial.is_struck(tried), "nothing went wrong: {tried}");
        let (course, traces) = trial.course(tried).await;
        assert_equal(&course, &one.course, tried);
        assert_traces(fault, &traces, tried);
        assert_repeated(&trial.calls(tried), &one.calls, call, tried, fault);
    }
    trial.engine.finish().await;
}

fn assert_equal(course: &Course, undisturbed: &Course, tried: &Tried<'_>) {
    assert_eq!(course.status, undisturbed.status, "{tried}");
    assert_eq!(course.checkpoints, undisturbed.checkpoints, "{tried}");
    assert_eq!(course.kinds, undisturbed.kinds, "{tried}");
    assert_eq!(course.keys, undisturbed.keys, "{tried}");
    for (step, output) in &undisturbed.outputs {
        assert_eq!(course.outputs.get(step), Some(output), "{step} after {tried}");
    }
}

/// The log tells what went wrong, and of nothing else.
fn assert_traces(fault: Fault, traces: &[&str], tried: &Tried<'_>) {
    let is_right = match fault {
        // Of one worker, or of the one before it too.
        Fault::CrashBeforeStep => matches!(traces, ["lease_expired"] | ["lease_expired", "lease_expired"]),
        Fault::CrashInStep | Fault::CrashBeforeCommit | Fault::Repeat => traces == ["lease_expired"],
        // Whoever dies when the run rests or is over holds no lease.
        Fault::CrashAfterCommit => matches!(traces, [] | ["lease_expired"]),
        Fault::HandBack => traces.is_empty(),
        Fault::Retry | Fault::Panic | Fault::TimeOut => traces == ["step_retried"],
        Fault::Fail => traces == ["failed", "resumed"],
    };
    assert!(is_right, "{traces:?}: {tried}");
}

/// The call at which the fault struck was made again, under the same key for effects outside, and no other was.
fn assert_repeated(calls: &[String], undisturbed: &[String], call: usize, tried: &Tried<'_>, fault: Fault) {
    let mut expected = undisturbed.to_vec();
    if !matches!(fault, Fault::CrashBeforeStep | Fault::CrashAfterCommit) {
        expected.insert(call, undisturbed[call].clone());
    }
    assert_eq!(calls, expected, "{tried}");
}

/// The cases of each definition lead through all its steps and jumps.
fn assert_everything_is_tried(trial: &Trial, undisturbed: &[Undisturbed<'_>]) {
    for definition in trial.engine.catalog.iter() {
        let of_it = undisturbed.iter().filter(|one| one.subject.definition.id == definition.id);
        let taken: BTreeSet<_> = of_it.flat_map(|one| one.course.checkpoints.iter().cloned()).collect();
        for step in &definition.steps {
            let following = definition.following(&step.name);
            for next in std::iter::once(following).chain(step.jumps.iter().map(|jump| Some(&jump.target))) {
                let way = (step.name.to_string(), next.map(ToString::to_string));
                assert!(taken.contains(&way), "no test input of {} goes the way {way:?}", definition.id);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_worker_that_never_begins_it() {
    every_step_survives(Fault::CrashBeforeStep).await;
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
async fn every_step_survives_a_crash_after_its_commit() {
    every_step_survives(Fault::CrashAfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_being_done_twice() {
    every_step_survives(Fault::Repeat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_survives_a_result_that_comes_after_its_run_was_handed_back() {
    every_step_survives(Fault::HandBack).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_leased_run_is_taken_over_no_sooner_than_its_lease_ends() {
    let engine = TestEngine::builder().start().await;
    let run = engine.enqueue().await;
    let dead = engine.hand("dead").await;
    drop(dead.claim_one().await);
    assert_eq!(engine.reap().await, 0);
    let heir = engine.hand("heir").await;
    assert!(heir.claim(1).await.is_empty(), "the lease still holds");
    engine.jump(seconds(31)).await;
    assert_eq!(engine.reap().await, 1);
    assert_eq!(engine.hand("second").await.work().await, (run, Ended::Closed));
    engine.finish().await;
}
