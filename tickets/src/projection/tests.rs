//! Folds of small logs, through the same functions that the live path and the audit use.

use super::{patch::*, request::requests, verify::folded};
use crate::ticket::{TicketEdit, TicketRow, topics};
use chrono::{DateTime, Utc};
use serde_json::{Value, json, value::to_raw_value};
use std::collections::BTreeMap;
use ticketflow_engine::{
    Actor, Change, Epoch, RunId, Seq, StepName,
    chain::Hash,
    event::*,
    history::{Stamp, record},
};

fn run() -> RunId {
    RunId::from_uuid(uuid::Uuid::from_u128(7))
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

/// A log whose events lie a second apart and took half a second each.
fn log(events: Vec<Event>) -> Vec<EventRecord> {
    let mut step = StepName::new("classify");
    let numbered = (0i32..).zip(events);
    let record = |(seq, event): (i32, Event)| {
        let took = !matches!(event, Event::Created(_) | Event::Annotated(_));
        let stamp = Stamp {
            epoch: Epoch(1),
            attempt: 1,
            actor: Actor::new("test"),
            duration_ms: took.then_some(500),
            at: at(seq.into()),
        };
        let now = step.clone();
        if let Event::StepCompleted(StepCompleted { next: Some(next), .. }) = &event {
            step = next.clone();
        }
        record(run(), Seq(seq), Hash::GENESIS, Some(now), event, stamp).unwrap()
    };
    numbered.map(record).collect()
}

fn fold(events: Vec<Event>) -> TicketRow {
    let events = [vec![created(None)], events].concat();
    folded(&Change { run: run(), events: &log(events) }).unwrap()
}

fn created(fork: Option<Fork>) -> Event {
    let input = json!({ "subject": "Charged twice", "body": "Please help", "customer_id": "c-1", "channel": "email" });
    Event::Created(Created {
        workflow: "ticket_triage".into(),
        version: 1,
        step: StepName::new("classify"),
        input: to_raw_value(&input).unwrap(),
        fork,
    })
}

fn classification() -> Value {
    json!({
        "category": "billing", "confidence": 0.9, "priority": "high", "sentiment_score": 3, "language": "en",
        "reasons": ["says char\u{0}ged"], "needs_review": true,
        "ai": {
            "ai_status": "fallback", "provider": "offline", "model": "rules", "prompt_version": "1",
            "tokens": { "input": 10, "output": 5, "cached": null }, "cost": 0.001,
        },
    })
}

fn step(next: &str, output: &Value) -> Event {
    Event::StepCompleted(StepCompleted {
        next: Some(StepName::new(next)),
        output: to_raw_value(output).unwrap(),
    })
}

fn waited() -> Event {
    let about = json!({ "draft": "Dear\u{0} you", "reasons": ["guarded"] });
    Event::Waited(Waited { signal: "approval".into(), until: Some(at(99)), about })
}

fn signal(payload: &Value) -> Event {
    let payload = to_raw_value(payload).unwrap();
    Event::SignalReceived(SignalReceived {
        signal: "approval".into(),
        number: 1,
        from: Actor::new("api"),
        payload,
    })
}

fn intervention() -> Intervention {
    Intervention { reason: "r".into() }
}

fn annotated(topic: &str, data: Value) -> Event {
    Event::Annotated(Note { topic: topic.into(), data })
}

fn resumed(from_step: Option<&str>) -> Event {
    Event::Resumed(Resumed {
        reason: "r".into(),
        from_step: from_step.map(StepName::new),
        edited: BTreeMap::new(),
        signals_seen: 0,
    })
}

#[test]
fn a_new_ticket_is_pending_and_has_no_result() {
    let row = fold(vec![]);
    assert_eq!((row.status.as_str(), row.result, row.version, row.attempt_count), ("pending", None, 1, 0));
    assert_eq!((row.created_at, row.started_at, row.channel.as_str()), (at(0), None, "email"));
}

#[test]
fn a_classification_fills_its_columns_and_its_part_of_the_result() {
    let row = fold(vec![step("extract", &classification())]);
    assert_eq!(
        (row.status.as_str(), row.category.as_deref(), row.priority.as_deref()),
        ("processing", Some("billing"), Some("high"))
    );
    assert_eq!((row.confidence, row.sentiment, row.needs_review), (Some(0.9), Some(3), true));
    assert_eq!((row.ai_fallback, row.tokens_input, row.cost_nanos), (true, Some(10), Some(1_000_000)));
    assert_eq!((row.attempt_count, row.version), (1, 2));
    assert_eq!(row.started_at, Some(at(1) - chrono::TimeDelta::milliseconds(500)));
    let result = row.result.unwrap();
    assert_eq!(result["classification"], result["category"]);
    assert_eq!(result["reasons"], json!(["says charged"]), "no U+0000 gets to the database");
}

#[test]
fn tokens_of_a_step_that_runs_again_are_spent_again() {
    let row = fold(vec![step("classify", &classification()), step("extract", &classification())]);
    assert_eq!((row.tokens_input, row.cost_nanos, row.attempt_count), (Some(20), Some(2_000_000), 2));
}

#[test]
fn an_output_of_another_version_adds_nothing_but_its_attempt() {
    let row = fold(vec![step("extract", &json!({ "category": "Not A Name" }))]);
    assert_eq!((row.status.as_str(), row.result, row.attempt_count), ("processing", None, 1));
}

#[test]
fn a_failure_keeps_its_code_until_the_run_is_resumed() {
    let failed = || Event::Failed(Failure::new("no_model", "m"));
    let row = fold(vec![failed()]);
    assert_eq!(
        (row.status.as_str(), row.error_code.as_deref(), row.completed_at),
        ("failed_permanent", Some("no_model"), Some(at(1)))
    );
    let row = fold(vec![failed(), resumed(None)]);
    assert_eq!((row.status.as_str(), row.error_code, row.completed_at), ("processing", None, None));
}

#[test]
fn a_pause_ends_where_it_began() {
    let row = fold(vec![step("extract", &classification()), waited(), Event::Paused(intervention())]);
    assert_eq!((row.status.as_str(), row.paused_from.as_deref()), ("paused", Some("awaiting_approval")));
    let row = fold(vec![waited(), Event::Paused(intervention()), resumed(None)]);
    assert_eq!((row.status.as_str(), row.paused_from), ("awaiting_approval", None));
    let row = fold(vec![waited(), Event::Paused(intervention()), resumed(Some("draft"))]);
    assert_eq!(row.status, "processing");
    let row = fold(vec![Event::Paused(intervention()), Event::Cancelled(intervention())]);
    assert_eq!((row.status.as_str(), row.paused_from), ("cancelled", None));
}

#[test]
fn agents_edits_reach_columns_and_result() {
    let edit = TicketEdit {
        category: Some(crate::taxonomy::Category::parse("order").unwrap()),
        assignee: Some(Some("ada".into())),
        tags: Some(vec!["vip".into()]),
        final_response: Some("Hello".into()),
        ..TicketEdit::default()
    };
    let edited = Event::Annotated(edit.note(json!({ "predicted": "billing" })).unwrap());
    let row = fold(vec![step("extract", &classification()), edited.clone()]);
    assert_eq!(
        (row.category.as_deref(), row.assignee.as_deref(), row.needs_review),
        (Some("order"), Some("ada"), false)
    );
    let result = row.result.unwrap();
    assert_eq!((&result["classification"], &result["final_response"]), (&json!("order"), &json!("Hello")));
    let row = fold(vec![edited, annotated(topics::ASSIGNED, json!({ "assignee": null }))]);
    assert_eq!((row.assignee, row.tags), (None, vec!["vip".to_owned()]));
}

#[test]
fn solving_and_reopening_leave_the_status_alone() {
    let row = fold(vec![annotated(topics::RESOLVED, Value::Null)]);
    assert_eq!((row.status.as_str(), row.resolved_at), ("pending", Some(at(1))));
    let row = fold(vec![annotated(topics::RESOLVED, Value::Null), annotated(topics::REOPENED, Value::Null)]);
    assert_eq!((row.resolved_at, row.version), (None, 3));
    assert_eq!(fold(vec![annotated("something_else", Value::Null)]).version, 1);
}

#[test]
fn a_fork_starts_with_what_it_took_over() {
    let outputs = BTreeMap::from([(StepName::new("classify"), to_raw_value(&classification()).unwrap())]);
    let fork = Fork {
        parent: RunId::from_uuid(uuid::Uuid::from_u128(3)),
        parent_seq: Seq(4),
        reason: String::new(),
        outputs,
    };
    let events = log(vec![created(Some(fork))]);
    let row = folded(&Change { run: run(), events: &events }).unwrap();
    assert_eq!((row.forked_from.unwrap().as_uuid().as_u128(), row.category.as_deref()), (3, Some("billing")));
    assert_eq!((row.status.as_str(), row.attempt_count), ("pending", 0));
}

#[test]
fn a_decision_closes_the_request_it_answers() {
    let decision = json!({ "approved": true, "decided_by": "ada", "edited_response": "Hi" });
    let events = log(vec![created(None), waited(), signal(&decision)]);
    let opened = requests(&Change { run: run(), events: &events }).opened;
    let [request] = opened.as_slice() else { panic!("{opened:?}") };
    assert_eq!((request.status.as_str(), request.is_open, request.seq), ("approved", false, 1));
    assert_eq!(
        (request.draft.as_deref(), request.edited_response.as_deref()),
        (Some("Dear you"), Some("Hi"))
    );
    let late = requests(&Change { run: run(), events: &events[2..] });
    assert_eq!(late.closing.unwrap().decided_by.as_deref(), Some("ada"));
}

#[test]
fn a_request_without_a_decision_expires_or_is_superseded() {
    let status = |event: Event| {
        let events = log(vec![created(None), waited(), event]);
        requests(&Change { run: run(), events: &events }).opened.remove(0).status
    };
    assert_eq!(status(Event::WaitTimedOut(WaitTimedOut { signal: "approval".into() })), "expired");
    assert_eq!(status(signal(&json!("yes"))), "superseded");
    assert_eq!(status(Event::Cancelled(intervention())), "superseded");
    assert_eq!(status(resumed(Some("draft"))), "superseded");
    assert_eq!(status(Event::Paused(intervention())), "pending");
}

/// Patches of a change are written as one where that is possible: the outcome must be that of one after the other.
#[test]
fn patches_written_together_do_what_they_do_one_by_one() {
    let completed = step("extract", &classification());
    let noted =
        Event::Noted(Note { topic: "approval_escalated".into(), data: json!({ "priority": "urgent" }) });
    let edit = annotated(topics::EDITED, json!({ "assignee": "bo", "priority": "low" }));
    let events = log(vec![
        created(None),
        completed.clone(),
        noted,
        waited(),
        edit,
        completed,
        Event::Completed(Completed {}),
    ]);
    let one_by_one = folded(&Change { run: run(), events: &events }).unwrap();
    let together = events[1..].iter().map(patch_of).reduce(|one, next| {
        assert!(one.takes(&next));
        one.then(next)
    });
    let mut row = folded(&Change { run: run(), events: &events[..1] }).unwrap();
    super::apply::apply(&mut row, together.unwrap());
    assert_eq!(row, one_by_one);
}
