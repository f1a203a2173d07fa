//! In which form answers are asked for, when a server takes some forms, or seems to.

use crate::support::{
    desk::{TestDesk, desk, only, ticket},
    seconds,
};
use ticketflow_fake_llm::{Behaviour, Mode};
use ticketflow_tickets::triage::{AiStatus, TriageStep};

async fn asking() -> TestDesk {
    desk(Behaviour::default(), |settings| only(settings, TriageStep::Classify, "fake")).await
}

/// The forms in which one ticket's question was asked, one after the other, until it was answered.
async fn forms(desk: &TestDesk, number: usize) -> Vec<String> {
    let run = desk.triage(&ticket(number)).await;
    let account = desk.account(run, TriageStep::Classify).await;
    assert_eq!(account.ai_status, AiStatus::Done, "{account:#?}");
    account.calls.into_iter().map(|call| call.format).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stray_refusal_costs_one_more_call_and_no_more() {
    let desk = asking().await;
    desk.model.next([Mode::BadRequest]);
    assert_eq!(forms(&desk, 0).await, ["json_schema", "json_object"]);
    assert_eq!(forms(&desk, 1).await, ["json_schema"]);
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_repeats_lowers_the_form_for_a_while() {
    let desk = asking().await;
    for number in 0..3 {
        desk.model.next([Mode::BadRequest]);
        assert_eq!(forms(&desk, number).await, ["json_schema", "json_object"]);
    }
    assert_eq!(forms(&desk, 3).await, ["json_object"]);
    desk.engine.advance_clock(seconds(601)).await;
    assert_eq!(forms(&desk, 4).await, ["json_schema"]);
    assert_eq!(forms(&desk, 5).await, ["json_schema"]);
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_supported_is_asked_for_again_after_longer_and_longer_pauses() {
    let desk = asking().await;
    desk.model.set(Behaviour::always(Mode::NoJsonSchema)).unwrap();
    assert_eq!(forms(&desk, 0).await, ["json_schema", "json_object"]);
    assert_eq!(forms(&desk, 1).await, ["json_object"]);
    desk.engine.advance_clock(seconds(601)).await;
    assert_eq!(forms(&desk, 2).await, ["json_schema", "json_object"]);
    desk.engine.advance_clock(seconds(601)).await;
    assert_eq!(forms(&desk, 3).await, ["json_object"]);
    desk.engine.advance_clock(seconds(601)).await;
    desk.model.set(Behaviour::default()).unwrap();
    assert_eq!(forms(&desk, 4).await, ["json_schema"]);
    assert_eq!(forms(&desk, 5).await, ["json_schema"]);
    desk.finish().await;
}
