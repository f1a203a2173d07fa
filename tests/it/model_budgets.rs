//! What is spent and how fast: budgets, limits, and answers that are paid for once.

use crate::support::{
    Gate, TestEngine,
    desk::{MODEL_STEPS, desk, desk_around, desk_on, only, provider, ticket},
    faults::{Blow, Fault, Saboteur},
    seconds,
};
use std::num::NonZeroU32;
use ticketflow_engine::status::LiveState;
use ticketflow_fake_llm::{Behaviour, Latency, Mode};
use ticketflow_tickets::{
    model::{answer, usage},
    triage::{AiStatus, FallbackReason, TriageStep},
};
use ticketflow_workflows::models::{ModelPrice, ModelSettings, PriceTable};

/// A dollar per token, as good as.
fn dear(settings: &mut ModelSettings) {
    let price = ModelPrice { input: 1e6, output: 1e6, cached: 1e6 };
    let prices = PriceTable { version: "dear".to_owned(), models: [("fake".to_owned(), price)].into() };
    provider(settings).prices = Some(prices);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_whose_budget_is_spent_goes_on_offline_and_the_next_day_asks_again() {
    let desk = desk(Behaviour::default(), |settings| {
        only(settings, TriageStep::Classify, "fake");
        dear(settings);
        provider(settings).budget_per_day = Some(1.0);
    })
    .await;
    let status = async |number| {
        let run = desk.triage(&ticket(number)).await;
        desk.account(run, TriageStep::Classify).await.fallback
    };
    assert_eq!(status(0).await, None);
    assert_eq!(status(1).await, Some(FallbackReason::DayBudget));
    assert_eq!(desk.model.tally().requests, 1);
    desk.engine.advance_clock(seconds(24 * 3_600)).await;
    assert_eq!(status(2).await, None);
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_whose_budget_is_spent_goes_on_offline_and_the_next_ticket_asks() {
    let desk = desk(Behaviour::always(Mode::NoUsage), |settings| {
        dear(settings);
        provider(settings).budget_per_ticket = Some(1.0);
    })
    .await;
    for number in 0..2 {
        let run = desk.triage(&ticket(number)).await;
        // What the provider does not say is estimated, so that silence is not free.
        assert_eq!(desk.account(run, TriageStep::Classify).await.ai_status, AiStatus::Done);
        for step in [TriageStep::Extract, TriageStep::Draft, TriageStep::Review] {
            assert_eq!(desk.account(run, step).await.fallback, Some(FallbackReason::TicketBudget));
        }
    }
    assert_eq!(desk.model.tally().requests, 2);
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_are_under_way_than_allowed() {
    let latency = Some(Latency { median_ms: 20, p99_ms: 40 });
    let builder = TestEngine::builder().workers(1).options(|options| options.capacity = 32);
    let desk = desk_on(builder, Behaviour { latency, ..Behaviour::default() }, |settings| {
        only(settings, TriageStep::Classify, "fake");
        provider(settings).concurrency = 3;
    })
    .await;
    desk.submit_many(60).await;
    desk.all_triaged().await;
    let tally = desk.model.tally();
    assert_eq!((tally.requests, tally.most_at_once), (60, 3));
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_turn_is_far_off_sleeps_and_charges_no_attempt() {
    let desk = desk(Behaviour::default(), |settings| {
        only(settings, TriageStep::Classify, "fake");
        provider(settings).requests_per_minute = NonZeroU32::new(1);
    })
    .await;
    desk.triage(&ticket(0)).await;
    let second = desk.submit(&ticket(1)).await;
    desk.engine.reaches(second, LiveState::Sleeping).await;
    assert_eq!(desk.engine.kinds(second).await, ["created", "slept"]);
    assert_eq!(desk.model.tally().requests, 1);
    desk.finish().await;
}

/// At every step in turn the answer has come, and the worker is gone before the checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_answer_and_checkpoint_does_not_pay_twice() {
    let saboteur = Saboteur::default();
    let around = saboteur.clone();
    let desk = desk_around(Behaviour::default(), move |catalog| catalog.around(around)).await;
    let run = desk.submit(&ticket(2)).await;
    let mut crashes = 0;
    // Every other call is the repetition of one that was lost.
    for call in (0..).step_by(2) {
        let gate = Gate::new();
        saboteur.strike(run, Blow { fault: Fault::CrashBeforeCommit, call, gate: gate.clone() });
        let hand = desk.engine.hand("doomed").await;
        let mut work = hand.spawn(hand.claim_one().await);
        tokio::select! {
            () = gate.reached() => {
                work.abort();
                drop(work.await);
                desk.engine.reap_everything().await;
                crashes += 1;
            }
            ended = &mut work => {
                ended.unwrap();
                break;
            }
        }
    }
    assert!(crashes >= 6, "the worker died {crashes} times");
    let tally = desk.model.tally();
    assert_eq!((tally.answered, tally.answered_again), (tally.requests, 0), "{tally:?}");
    for step in MODEL_STEPS {
        let account = desk.account(run, step).await;
        assert_eq!(account.ai_status, AiStatus::Done, "{account:#?}");
        assert!(account.calls[0].reused && account.tokens.is_some(), "{account:#?}");
    }
    let stats = usage::stats(&mut *desk.engine.connection().await).await.unwrap();
    let calls: i64 = stats.iter().map(|prompt| prompt.calls).sum();
    assert_eq!(u64::try_from(calls).unwrap(), tally.requests, "{stats:#?}");
    // A ticket's tokens are those of its answers, however often it was begun.
    let tokens: u64 = desk.accounts(run).await.iter().map(|account| account.tokens.unwrap().input).sum();
    let paid: i64 = stats.iter().map(|prompt| prompt.tokens_input).sum();
    assert_eq!(u64::try_from(paid).unwrap(), tokens, "{stats:#?}");
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_for_two_days() {
    let desk = desk(Behaviour::default(), |settings| only(settings, TriageStep::Classify, "fake")).await;
    let run = desk.triage(&ticket(0)).await;
    let kept = async || -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM model_answers WHERE run_id = $1");
        count.bind(run.as_uuid()).fetch_one(&desk.engine.pool).await.unwrap()
    };
    let sweep = async || {
        let (bucket, now) = (u8::try_from(run.bucket().as_i16()).unwrap(), desk.engine.clock.now());
        answer::sweep(&mut *desk.engine.connection().await, bucket, now).await.unwrap()
    };
    assert_eq!((sweep().await, kept().await), (0, 1));
    desk.engine.advance_clock(seconds(49 * 3_600)).await;
    assert_eq!((sweep().await, kept().await), (1, 0));
    desk.finish().await;
}
