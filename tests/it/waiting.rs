//! Sleeping, and waiting for signals.

use crate::support::{Act, Call, TestEngine, greenhouse::at_once, seconds};
use std::time::Duration;
use ticketflow_engine::{
    RunId,
    event::Event,
    executor::Ended,
    status::{LiveState, RunStatus},
};

/// Inspect waits for the inspector.
fn wait_for_inspector(call: &Call) -> Act {
    match (call.step, &call.arrival) {
        ("inspect", None) => Act::Wait("inspection", None),
        _ => Act::Work,
    }
}

fn wait_an_hour(call: &Call) -> Act {
    match (call.step, &call.arrival) {
        ("inspect", None) => Act::Wait("inspection", Some(seconds(3_600))),
        _ => Act::Work,
    }
}

fn arrivals(engine: &TestEngine, run: RunId) -> Vec<Option<String>> {
    engine.script.calls_of(run, "inspect").into_iter().map(|call| call.arrival).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleeping_run_holds_no_worker_and_wakes_in_time() {
    let engine = TestEngine::builder()
        .script(|call| match (call.step, &call.arrival) {
            ("water", None) => Act::Sleep(seconds(3_600)),
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    assert!(matches!(worker.work().await.1, Ended::Parked { wake_at: Some(_) }));
    assert_eq!(engine.live(run).await.state, LiveState::Sleeping);
    assert_eq!(engine.live(run).await.worker, None);
    engine.advance_clock(seconds(3_590)).await;
    assert!(worker.claim(1).await.is_empty());
    engine.advance_clock(seconds(11)).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    let calls = engine.script.calls_of(run, "water");
    assert_eq!(calls[1].arrival.as_deref(), Some("woke"));
    assert_eq!(calls[1].key, calls[0].key);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_sleep_ends_by_itself() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| match (call.step, &call.arrival) {
            ("water", None) => Act::Sleep(Duration::from_millis(30)),
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_came_before_the_wait_is_taken_at_once() {
    let engine = TestEngine::builder().script(wait_for_inspector).start().await;
    let run = engine.enqueue().await;
    engine.signal(run, "inspection", 7).await;
    let worker = engine.hand("gardener").await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(arrivals(&engine, run), [None, Some("7".to_owned())]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_comes_while_the_run_is_held_is_taken_at_once() {
    let engine = TestEngine::builder().script(wait_for_inspector).start().await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    let lease = worker.claim_one().await;
    engine.signal(run, "inspection", 7).await;
    assert_eq!(worker.advance(lease).await, Ended::Closed);
    assert_eq!(arrivals(&engine, run), [None, Some("7".to_owned())]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_wakes_a_waiting_run() {
    let engine = TestEngine::builder().workers(1).script(wait_for_inspector).start().await;
    let run = engine.enqueue().await;
    engine.reaches(run, LiveState::Waiting).await;
    engine.signal(run, "inspection", 9).await;
    engine.ends(run, RunStatus::Completed).await;
    assert_eq!(arrivals(&engine, run), [None, Some("9".to_owned())]);
    let log = engine.log(run).await;
    let received = log.iter().find_map(|record| {
        let Event::SignalReceived(received) = &record.event else { return None };
        Some((received.from.to_string(), received.number))
    });
    assert_eq!(received, Some(("operator:test".to_owned(), 1)));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_of_another_name_leaves_the_run_waiting() {
    let engine = TestEngine::builder().script(wait_for_inspector).start().await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    engine.signal(run, "weather", 1).await;
    assert_eq!(worker.work().await, (run, Ended::Parked { wake_at: None }));
    assert_eq!(engine.live(run).await.state, LiveState::Waiting);
    engine.signal(run, "inspection", 2).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(arrivals(&engine, run), [None, Some("2".to_owned())]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_signals_are_taken_in_order_and_once_each() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| match (call.step, call.number) {
            ("inspect", 1..=3) => Act::Wait("inspection", None),
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    for payload in [1, 2, 3] {
        engine.signal(run, "inspection", payload).await;
    }
    engine.ends(run, RunStatus::Completed).await;
    let taken: Vec<_> = arrivals(&engine, run).into_iter().flatten().collect();
    assert_eq!(taken, ["1", "2", "3"]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_without_the_signal_when_its_time_is_over() {
    let engine = TestEngine::builder().script(wait_an_hour).start().await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    assert!(matches!(worker.work().await.1, Ended::Parked { wake_at: Some(_) }));
    engine.advance_clock(seconds(3_601)).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(arrivals(&engine, run), [None, Some("timed out".to_owned())]);
    assert!(engine.kinds(run).await.contains(&"wait_timed_out"));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_in_time_is_preferred_to_the_time_out() {
    let engine = TestEngine::builder().script(wait_an_hour).start().await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    engine.signal(run, "inspection", 5).await;
    engine.advance_clock(seconds(3_601)).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    assert_eq!(arrivals(&engine, run), [None, Some("5".to_owned())]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_of_another_name_does_not_extend_the_time_out() {
    let engine = TestEngine::builder().script(wait_an_hour).start().await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    let (_, Ended::Parked { wake_at: due }) = worker.work().await else { panic!("the run waits") };
    engine.advance_clock(seconds(1_800)).await;
    engine.signal(run, "weather", 1).await;
    worker.work().await;
    assert_eq!(engine.live(run).await.wake_at, due);
    engine.advance_clock(seconds(1_801)).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    engine.finish().await;
}

/// The signal is sent while the worker is parking the run, two hundred times: whichever comes first, it is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_parking_and_signalling() {
    let engine = TestEngine::builder().workers(2).script(wait_for_inspector).start().await;
    for round in 0..200 {
        let run = engine.enqueue().await;
        engine.script.called(run, "inspect", 1).await;
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        engine.signal(run, "inspection", round).await;
        engine.ends(run, RunStatus::Completed).await;
    }
    engine.finish().await;
}

/// Parking and signalling meet at a barrier, statement against statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_parks_only_if_it_has_seen_every_signal() {
    let engine = TestEngine::builder().script(wait_for_inspector).start().await;
    let worker = engine.hand("gardener").await;
    for round in 0..200 {
        let run = engine.enqueue().await;
        let lease = worker.claim_one().await;
        let barrier = tokio::sync::Barrier::new(2);
        let (ended, ()) = tokio::join!(
            async {
                barrier.wait().await;
                worker.advance(lease).await
            },
            async {
                barrier.wait().await;
                engine.signal(run, "inspection", round).await;
            }
        );
        if ended != Ended::Closed {
            assert_eq!(engine.live(run).await.state, LiveState::Ready, "parked, and woken by the signal");
            assert_eq!(worker.work().await, (run, Ended::Closed));
        }
    }
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_sent_while_the_run_is_paused_is_not_lost() {
    let engine = TestEngine::builder().script(wait_for_inspector).start().await;
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    engine.client.pause(run, &TestEngine::operator(), "lunch").await.unwrap();
    engine.signal(run, "inspection", 3).await;
    assert!(worker.claim(1).await.is_empty());
    engine.resume(run, None).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    engine.finish().await;
}

/// It was meant for what the run did before: an approval of a draft is none of the next draft.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_sent_before_an_operator_set_the_run_back_is_of_the_past() {
    let engine = TestEngine::builder().script(wait_for_inspector).start().await;
    let (client, operator) = (&engine.client, TestEngine::operator());
    let run = engine.enqueue().await;
    let worker = engine.hand("gardener").await;
    worker.work().await;
    client.pause(run, &operator, "wrong bed").await.unwrap();
    engine.signal(run, "inspection", 3).await;
    engine.resume(run, Some("measure")).await;
    assert!(matches!(worker.work().await.1, Ended::Parked { .. }), "it waits for another inspection");
    // The same where the signal had been taken into account, but the run was ended before a worker saw it.
    engine.signal(run, "inspection", 4).await;
    client.cancel(run, &operator, "wrong plants").await.unwrap();
    engine.resume(run, Some("measure")).await;
    assert!(matches!(worker.work().await.1, Ended::Parked { .. }), "it waits for another inspection");
    engine.signal(run, "inspection", 5).await;
    assert_eq!(worker.work().await, (run, Ended::Closed));
    let heard = arrivals(&engine, run);
    assert_eq!(heard.into_iter().flatten().collect::<Vec<_>>(), ["5"]);
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_whose_worker_died_before_taking_it_is_not_lost() {
    let engine = TestEngine::builder().script(wait_for_inspector).start().await;
    let run = engine.enqueue().await;
    let first = engine.hand("first").await;
    first.work().await;
    engine.signal(run, "inspection", 3).await;
    drop(first.claim_one().await);
    assert_eq!(engine.reap_everything().await, 1);
    let second = engine.hand("second").await;
    assert_eq!(second.work().await, (run, Ended::Closed));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_run_takes_no_signal() {
    let engine = TestEngine::builder().workers(1).start().await;
    let run = engine.enqueue().await;
    engine.ends(run, RunStatus::Completed).await;
    let payload = serde_json::value::RawValue::from_string("1".to_owned()).unwrap();
    let refused = engine.client.signal(run, "inspection", &payload, &TestEngine::operator()).await;
    assert_eq!(refused.unwrap_err().to_string(), format!("there is no run {run}"));
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_still_there_for_the_attempt_after_a_failed_one() {
    let engine = TestEngine::builder()
        .workers(1)
        .policy(at_once())
        .script(|call| match (call.step, &call.arrival, call.attempt) {
            ("inspect", None, _) => Act::Wait("inspection", None),
            ("inspect", Some(_), 1) => Act::Retry,
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.reaches(run, LiveState::Waiting).await;
    engine.signal(run, "inspection", 7).await;
    engine.ends(run, RunStatus::Completed).await;
    let heard = arrivals(&engine, run);
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(heard[1].is_some() && heard[1] == heard[2], "{heard:?}");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_still_there_after_a_resume() {
    let engine = TestEngine::builder()
        .workers(1)
        .script(|call| match (call.step, &call.arrival, call.attempt) {
            ("inspect", None, _) => Act::Wait("inspection", None),
            ("inspect", Some(_), _) if call.number == 2 => Act::Fail,
            _ => Act::Work,
        })
        .start()
        .await;
    let run = engine.enqueue().await;
    engine.reaches(run, LiveState::Waiting).await;
    engine.signal(run, "inspection", 7).await;
    engine.ends(run, RunStatus::Failed).await;
    engine.resume(run, None).await;
    engine.ends(run, RunStatus::Completed).await;
    let heard = arrivals(&engine, run);
    assert!(heard.len() == 3 && heard[1] == heard[2], "{heard:?}");
    engine.finish().await;
}
