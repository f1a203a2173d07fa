//! Failed attempts: how many, how far apart, and what becomes of a run that has none left.

use crate::support::{Act, Call, TestEngine, greenhouse::at_once, seconds};
use std::{collections::BTreeMap, time::Duration};
use ticketflow_engine::{
    Backoff, RunId, StepName, StepPolicy,
    event::Event,
    executor::Ended,
    status::{LiveState, RunStatus},
};

fn poison(call: &Call) -> Act {
    if call.step == "water" { Act::Retry } else { Act::Work }
}

async fn retry_delays(engine: &TestEngine, run: RunId) -> Vec<Duration> {
    let log = engine.log(run).await;
    let delays = log.iter().filter_map(|record| {
        let Event::StepRetried(retried) = &record.event else { return None };
        (retried.retry_at - record.at).to_std().ok()
    });
    delays.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_succeeds_at_the_attempt_that_does() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| if call.step == "plan" && call.attempt < 4 { Act::Retry } else { Act::Work })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    let attempts: Vec<_> = engine.script.calls_of(run, "plan").iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    let next: Vec<_> = engine.script.calls_of(run, "water").iter().map(|call| call.attempt).collect();
    assert_eq!(next, [1], "the next step starts counting anew");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_step_is_parked_as_failed_after_exactly_its_attempts() {
    let policy = StepPolicy { max_attempts: 3, ..at_once() };
    let engine = TestEngine::builder().workers(2).policy(policy).script(poison).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    assert_eq!(engine.script.calls_of(run, "water").len(), 3);
    assert_eq!(engine.error_code(run).await.as_deref(), Some("busy"));
    let kinds = engine.kinds(run).await;
    assert_eq!(kinds[3..], ["step_retried", "step_retried", "failed"]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_for_good_takes_one_attempt() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| if call.step == "water" { Act::Fail } else { Act::Work })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    assert_eq!(engine.script.calls_of(run, "water").len(), 1);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_resumes_with_all_its_attempts_and_completes() {
    let policy = StepPolicy { max_attempts: 2, ..at_once() };
    let engine = TestEngine::builder().workers(1).policy(policy).script(poison).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    engine.script.set(|call| if call.step == "water" && call.number == 3 { Act::Retry } else { Act::Work });
    engine.resume(run, None).await;
    engine.ends(run, RunStatus::Completed).await;
    let attempts: Vec<_> = engine.script.calls_of(run, "water").iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2, 1, 2]);
    assert_eq!(engine.script.calls_of(run, "measure").len(), 1, "what was done is not done again");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backoff_is_respected() {
    let backoff = Backoff { base_ms: 3_600_000, factor: 2.0, cap_ms: 10_000_000 };
    let policy = StepPolicy { backoff, ..StepPolicy::default() };
    let engine = TestEngine::builder()
        .policy(policy)
        .script(|call| if call.step == "measure" && call.number < 4 { Act::Retry } else { Act::Work })
        .start()
        .await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    for bound in [3_600, 7_200, 10_000] {
        let (_, ended) = worker.work().await;
        assert!(matches!(ended, Ended::Parked { wake_at: Some(_) }));
        assert_eq!(engine.live(run).await.state, LiveState::Sleeping);
        let delay = *retry_delays(&engine, run).await.last().unwrap();
        assert!(delay <= seconds(bound), "{delay:?} is at most {bound} s");
        if delay > seconds(2) {
            engine.advance_clock(delay.checked_sub(seconds(1)).unwrap()).await;
            assert!(worker.claim(1).await.is_empty(), "not before the backoff is over");
            engine.advance_clock(seconds(2)).await;
        } else {
            engine.advance_clock(delay).await;
        }
    }
    assert_eq!(worker.work().await, (run, Ended::Closed));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured() {
    let engine = TestEngine::builder()
        .script(|call| match (call.step, call.number) {
            ("water", 1) => Act::RetryAfter(seconds(7_200)),
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    let delay = retry_delays(&engine, run).await[0];
    assert!(delay >= seconds(7_199) && delay <= seconds(7_202), "{delay:?}");
    engine.advance_clock(seconds(7_190)).await;
    assert!(worker.claim(1).await.is_empty());
    engine.advance_clock(seconds(20)).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_from_a_step_with_an_edited_output_forgets_what_came_after() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| if call.step == "ship" && call.number == 1 { Act::Fail } else { Act::Work })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    let edited =
        serde_json::value::to_raw_value(&serde_json::json!({ "bed": "north", "amount": 100 })).unwrap();
    let edited = BTreeMap::from([(StepName::new("measure"), edited)]);
    let from = Some(StepName::new("plan"));
    engine.client.resume(run, &TestEngine::operator(), "a wrong reading", from, edited).await.unwrap();
    engine.ends(run, RunStatus::Completed).await;
    assert_eq!(engine.script.calls_of(run, "measure").len(), 1, "the edited step does not run again");
    assert_eq!(engine.amount(run, "plan").await, Some(103));
    assert_eq!(engine.amount(run, "ship").await, Some(2_161));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_later_outputs_are_forgotten() {
    let engine = TestEngine::builder()
        .script(|call| if call.step == "ship" && call.number == 1 { Act::Fail } else { Act::Work })
        .start()
        .await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert!(engine.history(run).await.has_checkpoint(&StepName::new("harvest")));
    engine.resume(run, Some("plan")).await;
    let kept: Vec<_> = engine.history(run).await.outputs().map(|(step, _)| step.to_string()).collect();
    assert_eq!(kept, ["measure"]);
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(engine.status(run).await, RunStatus::Completed);
    engine.finish().await;
}

/// The loop was taken once: what the second round measured must outlive a resume from the step after it.
#[tokio::test(flavor = "multi_thread")]
async fn resuming_in_the_second_round_of_a_loop_keeps_what_that_round_made() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| match (call.step, call.number) {
            ("measure", 2) => Act::Output(serde_json::json!({ "bed": "north", "amount": 50 })),
            ("inspect", 1) => Act::GoTo("measure"),
            ("plan", 2) => Act::Fail,
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    engine.resume(run, Some("plan")).await;
    engine.ends(run, RunStatus::Completed).await;
    assert_eq!(engine.amount(run, "plan").await, Some(53));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_lacks_what_it_needs_cannot_be_resumed_from() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| if call.step == "plan" { Act::Fail } else { Act::Work })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Failed).await;
    let operator = TestEngine::operator();
    let resume = |step: &str| {
        let from = Some(StepName::new(step));
        engine.client.resume(run, &operator, "too far", from, BTreeMap::new())
    };
    let error = resume("ship").await.unwrap_err().to_string();
    assert_eq!(error, "step ship needs the checkpoint of harvest, which this run does not have");
    let error = resume("compost").await.unwrap_err().to_string();
    assert!(error.contains("it has measure, plan, water"), "{error}");
    engine.finish().await;
}
