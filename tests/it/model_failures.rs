//! Every way in which a model can misbehave, and what the ticket, its log and the breaker look like then: the ticket is
//! triaged, whatever happens.

use crate::support::desk::{TestDesk, desk, only, provider, ticket};
use std::time::Duration;
use ticketflow_engine::{event::Event, status::RunStatus};
use ticketflow_fake_llm::{Behaviour, Mode};
use ticketflow_tickets::triage::{AiStatus, FallbackReason, TriageStep};

/// What a mode leads to.
#[derive(Debug, PartialEq)]
struct Course {
    /// How the answer's form was asked for in the end, or why there was none.
    end: Result<&'static str, FallbackReason>,
    /// Requests that reached the server.
    requests: u64,
    /// Attempts that failed, by the word in the log.
    retries: usize,
    /// The breaker afterwards; none: it heard of nothing.
    breaker: Option<&'static str>,
}

const fn answered(format: &'static str, requests: u64) -> Course {
    Course { end: Ok(format), requests, retries: 0, breaker: Some("closed") }
}

/// It may pass: it is tried three times.
const fn tried(reason: FallbackReason, breaker: Option<&'static str>) -> Course {
    Course { end: Err(reason), requests: 3, retries: 2, breaker }
}

/// It does not pass: nothing is tried again.
const fn given_up(reason: FallbackReason, requests: u64, breaker: &'static str) -> Course {
    Course { end: Err(reason), requests, retries: 0, breaker: Some(breaker) }
}

const fn expected(mode: Mode) -> Course {
    match mode {
        Mode::Fine | Mode::NoUsage | Mode::Obey => answered("json_schema", 1),
        Mode::NoJsonSchema => answered("json_object", 2),
        Mode::NoJsonObject => answered("prompt", 3),
        Mode::RateLimit | Mode::RateLimitBare => tried(FallbackReason::RateLimited, None),
        Mode::Error | Mode::Unavailable => tried(FallbackReason::ServerError, Some("closed")),
        Mode::Hang | Mode::Drip => tried(FallbackReason::TimedOut, Some("closed")),
        Mode::Cut => tried(FallbackReason::Unreachable, Some("closed")),
        Mode::WrongType => tried(FallbackReason::BadResponse, Some("closed")),
        Mode::Quota => given_up(FallbackReason::QuotaExhausted, 1, "open"),
        Mode::Unauthorized => given_up(FallbackReason::Unauthorized, 1, "open"),
        Mode::NoModel => given_up(FallbackReason::NotFound, 1, "open"),
        Mode::Redirect => given_up(FallbackReason::Redirected, 1, "open"),
        // In every form; nobody can tell whose fault it is.
        Mode::BadRequest => Course { breaker: None, ..given_up(FallbackReason::RequestRefused, 3, "") },
        Mode::Huge => given_up(FallbackReason::TooLarge, 1, "closed"),
        Mode::Refusal => given_up(FallbackReason::Declined, 1, "closed"),
        Mode::InvalidJson | Mode::WrongShape | Mode::Length => {
            given_up(FallbackReason::InvalidAnswer, 2, "closed")
        }
    }
}

/// A desk whose classification asks a model that always misbehaves in that way.
async fn misbehaving(mode: Mode) -> TestDesk {
    let behaviour = Behaviour { retry_after: 0, ..Behaviour::default() };
    desk(behaviour, move |settings| {
        only(settings, TriageStep::Classify, &format!("fake-{mode}"));
        let impatient = matches!(mode, Mode::Hang | Mode::Drip);
        provider(settings).timeout = Duration::from_millis(if impatient { 300 } else { 20_000 });
    })
    .await
}

async fn leads_where_it_should(mode: Mode) {
    let desk = misbehaving(mode).await;
    let run = desk.triage(&ticket(2)).await;
    let account = desk.account(run, TriageStep::Classify).await;
    let retries = desk.retries(run).await;
    let breakers = desk.breakers().await;
    let end = match account.fallback {
        Some(reason) => Err(reason),
        None => Ok(account.calls.last().unwrap().format.as_str()),
    };
    let expected = expected(mode);
    assert_eq!(end, expected.end, "{account:#?}");
    assert_eq!(desk.model.tally().requests, expected.requests, "{account:#?}");
    assert_eq!(retries.len(), expected.retries, "{retries:?}");
    let state = breakers.first().map(|found| found.breaker.word());
    assert_eq!(state, expected.breaker, "{breakers:?}");
    let row = desk.ticket(run).await;
    match expected.end {
        Ok(_) => assert_eq!(
            (account.ai_status, row["result"]["ai_status"].as_str()),
            (AiStatus::Done, Some("done"))
        ),
        Err(reason) => {
            assert_eq!((account.ai_status, account.provider.as_str()), (AiStatus::Fallback, "offline"));
            assert_eq!(row["result"]["ai_status"], "fallback");
            assert_eq!(row["result"]["fallback_reason"], reason.as_str());
            assert!(retries.iter().all(|code| *code == format!("model_{reason}")), "{retries:?}");
        }
    }
    assert_eq!(row["result"]["category"], "order", "{row}");
    assert_eq!(desk.engine.status(run).await, RunStatus::Completed);
    desk.finish().await;
}

/// One test per mode, so that each can be asked for by name.
macro_rules! misbehaviours {
    ($($name:ident => $mode:ident,)+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            leads_where_it_should(Mode::$mode).await;
        })+

        #[test]
        fn every_mode_of_the_server_has_its_test() {
            assert_eq!(Mode::ALL, [$(Mode::$mode,)+]);
        }
    };
}

misbehaviours! {
    a_model_that_answers_makes_the_result => Fine,
    a_model_that_asks_for_a_pause_is_asked_again => RateLimit,
    a_model_with_too_many_requests_is_asked_again => RateLimitBare,
    a_quota_that_is_used_up_opens_the_breaker_at_once => Quota,
    a_key_that_is_refused_opens_the_breaker_at_once => Unauthorized,
    a_model_that_does_not_exist_opens_the_breaker_at_once => NoModel,
    a_request_that_is_refused_in_every_form_is_given_up => BadRequest,
    a_server_without_schemas_is_asked_for_json => NoJsonSchema,
    a_server_without_json_is_asked_by_the_prompt => NoJsonObject,
    a_server_that_fails_is_asked_again => Error,
    a_server_that_is_not_available_is_asked_again => Unavailable,
    a_server_that_hangs_is_given_up_in_time => Hang,
    a_server_that_drips_is_given_up_in_time => Drip,
    a_connection_that_is_cut_off_is_made_again => Cut,
    an_endless_answer_is_not_read_to_its_end => Huge,
    a_redirect_is_not_followed => Redirect,
    an_answer_that_is_a_web_page_is_none => WrongType,
    an_answer_that_is_no_json_is_asked_for_once_more => InvalidJson,
    an_answer_of_another_shape_is_asked_for_once_more => WrongShape,
    an_answer_without_usage_is_accounted_as_unknown => NoUsage,
    a_model_that_declines_is_not_pressed => Refusal,
    an_answer_that_was_cut_off_is_asked_for_once_more => Length,
    a_model_that_obeys_the_ticket_changes_no_more_than_its_answer => Obey,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pause_that_a_provider_asks_for_is_kept_by_the_engine() {
    let behaviour = Behaviour { retry_after: 7, ..Behaviour::default() };
    let desk = desk(behaviour, |settings| only(settings, TriageStep::Classify, "fake-429")).await;
    let run = desk.submit(&ticket(0)).await;
    desk.model.arrived(1).await;
    desk.engine.reaches(run, ticketflow_engine::status::LiveState::Sleeping).await;
    let log = desk.engine.log(run).await;
    let paused = log.iter().find_map(|record| {
        let Event::StepRetried(retried) = &record.event else { return None };
        Some((retried.retry_at - record.at).num_milliseconds())
    });
    assert!((6_500..9_000).contains(&paused.unwrap()), "{paused:?}");
    desk.engine.advance_clock(Duration::from_secs(10)).await;
    desk.model.arrived(2).await;
    desk.engine.advance_clock(Duration::from_secs(10)).await;
    desk.triaged(run).await;
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_mended_is_taken_and_both_calls_are_accounted() {
    let desk = desk(Behaviour::default(), |settings| only(settings, TriageStep::Classify, "fake")).await;
    desk.model.next([Mode::WrongShape]);
    let run = desk.triage(&ticket(0)).await;
    let account = desk.account(run, TriageStep::Classify).await;
    assert_eq!((account.ai_status, account.calls.len()), (AiStatus::Done, 2), "{account:#?}");
    assert_eq!(account.calls.iter().map(|call| call.repair).collect::<Vec<_>>(), [false, true]);
    let both: u64 = account.calls.iter().map(|call| call.tokens.unwrap().input).sum();
    assert_eq!(account.tokens.unwrap().input, both);
    let repair = &desk.model.requests()[1].body["messages"];
    let asked = repair[3]["content"].as_str().unwrap();
    assert!(repair[2]["role"] == "assistant" && asked.contains("does not follow the schema"), "{repair}");
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_last_attempt_that_a_policy_grants_the_offline_rules_do_it() {
    let desk = desk(Behaviour::always(Mode::Error), |settings| provider(settings).attempts = 20).await;
    let run = desk.triage(&ticket(2)).await;
    assert_eq!(desk.account(run, TriageStep::Classify).await.fallback, Some(FallbackReason::ServerError));
    let retries = desk.retries(run).await;
    // Four of the five attempts of the first step; by then the breaker has opened.
    assert_eq!(retries, ["model_server_error"; 4], "{retries:?}");
    assert_eq!(desk.account(run, TriageStep::Draft).await.fallback, Some(FallbackReason::BreakerOpen));
    desk.finish().await;
}
