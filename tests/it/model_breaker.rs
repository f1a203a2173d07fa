//! The breaker of a model, shared by all who ask it.

use crate::support::desk::{TestDesk, desk, desk_on, only, provider, ticket};
use crate::support::{TestEngine, seconds};
use chrono::TimeDelta;
use ticketflow_fake_llm::{Behaviour, Mode};
use ticketflow_tickets::{
    model::Breaker,
    triage::{AiStatus, FallbackReason, TriageStep},
};
use ticketflow_workflows::models::ModelSettings;

/// Only classify asks, once per ticket, and two failures open the breaker for a minute.
fn touchy(settings: &mut ModelSettings) {
    only(settings, TriageStep::Classify, "fake");
    let provider = provider(settings);
    (provider.attempts, provider.breaker_threshold) = (1, 2);
    provider.breaker_cool_down = TimeDelta::seconds(60);
}

async fn reason(desk: &TestDesk, number: usize) -> Option<FallbackReason> {
    let run = desk.triage(&ticket(number)).await;
    desk.account(run, TriageStep::Classify).await.fallback
}

async fn state(desk: &TestDesk) -> &'static str {
    desk.breakers().await[0].breaker.word()
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_open_it_and_one_call_after_the_pause_closes_it() {
    let desk = desk(Behaviour::default(), touchy).await;
    desk.model.next([Mode::Error, Mode::Unavailable]);
    assert_eq!(reason(&desk, 0).await, Some(FallbackReason::ServerError));
    assert_eq!(state(&desk).await, "closed");
    assert_eq!(reason(&desk, 1).await, Some(FallbackReason::ServerError));
    assert_eq!(state(&desk).await, "open");
    assert_eq!(reason(&desk, 2).await, Some(FallbackReason::BreakerOpen));
    assert_eq!(desk.model.tally().requests, 2, "nobody asks while it is open");
    desk.engine.advance_clock(seconds(61)).await;
    assert_eq!(reason(&desk, 3).await, None);
    assert_eq!((state(&desk).await, desk.model.tally().requests), ("closed", 3));
    desk.finish().await;
}

/// The answer comes after a failure that it knew nothing of when it was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_between_two_failures_keeps_it_closed_whenever_it_was_asked_for() {
    let slow = Behaviour { drip_ms: 4, ..Behaviour::default() };
    let builder = TestEngine::builder().workers(1).options(|options| options.capacity = 4);
    let desk = desk_on(builder, slow, |settings| {
        touchy(settings);
        provider(settings).timeout = seconds(30);
    })
    .await;
    desk.model.next([Mode::Drip]);
    let answered = desk.submit(&ticket(0)).await;
    desk.model.arrived(1).await;
    desk.model.next([Mode::Error]);
    assert_eq!(reason(&desk, 1).await, Some(FallbackReason::ServerError));
    desk.triaged(answered).await;
    assert_eq!(desk.account(answered, TriageStep::Classify).await.fallback, None);
    desk.model.next([Mode::Error]);
    assert_eq!(reason(&desk, 2).await, Some(FallbackReason::ServerError));
    assert_eq!(state(&desk).await, "closed");
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_fails_opens_it_for_twice_as_long() {
    let desk = desk(Behaviour::always(Mode::Unauthorized), touchy).await;
    assert_eq!(reason(&desk, 0).await, Some(FallbackReason::Unauthorized));
    desk.engine.advance_clock(seconds(61)).await;
    assert_eq!(reason(&desk, 1).await, Some(FallbackReason::Unauthorized));
    let Breaker::Open { trips, until } = desk.breakers().await[0].breaker else { panic!("it is not open") };
    let pause = until - desk.engine.clock.now();
    assert!(trips == 2 && pause > TimeDelta::seconds(60) && pause <= TimeDelta::seconds(120), "{pause}");
    desk.engine.advance_clock(seconds(61)).await;
    assert_eq!(reason(&desk, 2).await, Some(FallbackReason::BreakerOpen));
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_call_that_tries_again_may_go_down_the_ladder() {
    let desk = desk(Behaviour::default(), touchy).await;
    desk.model.next([Mode::Unauthorized]);
    assert_eq!(reason(&desk, 0).await, Some(FallbackReason::Unauthorized));
    desk.model.set(Behaviour::always(Mode::NoJsonSchema)).unwrap();
    desk.engine.advance_clock(seconds(61)).await;
    assert_eq!((reason(&desk, 1).await, state(&desk).await), (None, "closed"));
    desk.finish().await;
}

/// Many tickets find it half open at the same time: one of them asks, and hangs until the test is over.
#[tokio::test(flavor = "multi_thread")]
async fn one_call_alone_tries_while_it_is_half_open() {
    let builder = TestEngine::builder().workers(2).options(|options| options.capacity = 16);
    let desk = desk_on(builder, Behaviour::default(), |settings| {
        touchy(settings);
        provider(settings).timeout = seconds(30);
    })
    .await;
    desk.model.next([Mode::Quota]);
    assert_eq!(reason(&desk, 0).await, Some(FallbackReason::QuotaExhausted));
    desk.engine.advance_clock(seconds(61)).await;
    desk.model.set(Behaviour::always(Mode::Hang)).unwrap();
    desk.submit(&ticket(1)).await;
    desk.model.arrived(2).await;
    for number in 2..12 {
        assert_eq!(reason(&desk, number).await, Some(FallbackReason::BreakerOpen));
    }
    assert_eq!((desk.model.tally().requests, state(&desk).await), (2, "half_open"));
    // Whoever tries has twice the time of a call; then another may.
    desk.engine.advance_clock(seconds(61)).await;
    desk.model.set(Behaviour::default()).unwrap();
    assert_eq!(reason(&desk, 12).await, None);
    assert_eq!(state(&desk).await, "closed");
    desk.engine.close().await;
    desk.model.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_finds_out_another_knows() {
    let desk = desk_on(TestEngine::builder().workers(3), Behaviour::always(Mode::NoModel), touchy).await;
    assert_eq!(reason(&desk, 0).await, Some(FallbackReason::NotFound));
    let runs = desk.submit_many(30).await;
    desk.all_triaged().await;
    for run in runs {
        let account = desk.account(run, TriageStep::Classify).await;
        assert_eq!(
            (account.ai_status, account.fallback),
            (AiStatus::Fallback, Some(FallbackReason::BreakerOpen))
        );
        assert!(account.calls.is_empty() && account.tokens.is_none());
    }
    assert_eq!(desk.model.tally().requests, 1);
    desk.finish().await;
}
