//! What a person's decision does, early and late.

use crate::support::{TestApp, app::run, until};
use serde_json::{Value, json};

/// Moves the database's clock for every process that works on it.
async fn set_clock(app: &TestApp, hours_ahead: u32) {
    let ahead = format!(
        "CREATE OR REPLACE FUNCTION engine_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
             RETURN statement_timestamp() + interval '{hours_ahead} hours'"
    );
    sqlx::query(sqlx::AssertSqlSafe(ahead)).execute(&app.pool().await).await.unwrap();
}

async fn submit_refund(app: &TestApp, invoice: &str) -> String {
    let refund = json!({
        "subject": "I want a refund",
        "body": format!("You charged me 49.90 EUR twice for invoice {invoice}. Please refund me."),
        "customer_id": "c1",
    });
    app.post("/tickets", &refund).await.1["ticket_id"].as_str().unwrap().to_owned()
}

async fn reaches(app: &TestApp, id: &str, status: &str) {
    until(&format!("the ticket is {status}"), || async {
        app.get(&format!("/tickets/{id}")).await.1["status"] == status
    })
    .await;
}

async fn is_escalated(app: &TestApp, id: &str) {
    until("the ticket is escalated", || async {
        let (_, events) = app.get(&format!("/tickets/{id}/events")).await;
        events.to_string().contains("approval_escalated") && {
            let (_, found) = app.get(&format!("/tickets/{id}")).await;
            found["status"] == "awaiting_approval"
        }
    })
    .await;
}

/// The priority of the classification and that of the routing, once a person has approved.
async fn approve(app: &TestApp, id: &str) -> (Value, Value) {
    let decision = json!({ "approved": true, "decided_by": "agent-7" });
    let (status, answer) = app.post(&format!("/approvals/{id}/decide"), &decision).await;
    assert!(status.is_success(), "{answer}");
    reaches(app, id, "completed").await;
    let (_, events) = app.get(&format!("/tickets/{id}/events")).await;
    let output = |step: &str| -> Value {
        let made = |event: &&Value| event["event_type"] == "step_complete" && event["step_name"] == step;
        events.as_array().unwrap().iter().rfind(made).unwrap()["payload"]["output"].clone()
    };
    let classified = output("classify");
    let priority = classified.pointer("/result/priority").unwrap_or(&classified["priority"]).clone();
    (priority, output("finalize")["routing"]["priority"].clone())
}

/// A ticket may have waited long for a worker: the deadline runs from when a person was asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_late_once_the_ticket_was_escalated_and_not_before() {
    let app = TestApp::start().await;
    let old = submit_refund(&app, "INV-2026-0042").await;
    set_clock(&app, 30).await;
    let worker = app.worker(&[]);
    reaches(&app, &old, "awaiting_approval").await;
    let (classified, routed) = approve(&app, &old).await;
    assert_eq!(classified, routed, "decided at once, after a day in the queue");

    let undecided = submit_refund(&app, "INV-2026-0043").await;
    reaches(&app, &undecided, "awaiting_approval").await;
    assert_eq!(worker.stop().await, 0);
    set_clock(&app, 60).await;
    let worker = app.worker(&[]);
    is_escalated(&app, &undecided).await;
    let (classified, routed) = approve(&app, &undecided).await;
    assert_ne!(classified, routed, "decided after the escalation");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

/// Another draft does not undo that the customer waited.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_on_another_draft_is_late_where_the_first_one_waited_too_long() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let id = submit_refund(&app, "INV-2026-0045").await;
    reaches(&app, &id, "awaiting_approval").await;
    assert_eq!(worker.stop().await, 0);
    set_clock(&app, 30).await;
    let worker = app.worker(&[]);
    is_escalated(&app, &id).await;
    for left in [2, 1] {
        let again =
            json!({ "approved": false, "decided_by": "agent-7", "instructions": "Name the invoice." });
        let (status, answer) = app.post(&format!("/approvals/{id}/decide"), &again).await;
        assert!(status.is_success(), "{answer}");
        until("the next draft waits for a person", || async {
            app.get("/approvals").await.1["approvals"][0]["redrafts_left"] == left
        })
        .await;
    }
    let (classified, routed) = approve(&app, &id).await;
    assert_ne!(classified, routed, "decided after the escalation");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

/// The decision was made on a draft that an operator then threw away.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_a_draft_says_nothing_about_the_next_draft() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let id = submit_refund(&app, "INV-2026-0044").await;
    reaches(&app, &id, "awaiting_approval").await;
    let act = async |action: &str, body: Value| {
        let (status, answer) = app.post(&format!("/tickets/{id}/{action}"), &body).await;
        assert!(status.is_success(), "{answer}");
    };
    act("pause", json!({ "reason": "the amount looks wrong" })).await;
    let decision = json!({ "approved": true, "decided_by": "agent-7" });
    let (status, answer) = app.post(&format!("/approvals/{id}/decide"), &decision).await;
    assert!(status.is_success(), "{answer}");
    act("resume", json!({ "reason": "draft it again", "from_step": "draft" })).await;
    until("the new draft waits for a person", || async {
        let (_, events) = app.get(&format!("/tickets/{id}/events")).await;
        let asked = events.as_array().unwrap().iter();
        asked.filter(|event| event["event_type"] == "approval_requested").count() == 2
            && app.get(&format!("/tickets/{id}")).await.1["status"] == "awaiting_approval"
    })
    .await;
    approve(&app, &id).await;
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_approves_and_rejects_at_the_command_line() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let decide = async |arguments: &[&str]| {
        let done = run(app.command(&[&["tickets"], arguments].concat())).await;
        let said =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.code(), said)
    };
    let approved = submit_refund(&app, "INV-2026-0045").await;
    reaches(&app, &approved, "awaiting_approval").await;
    let (code, said) = decide(&["approve", &approved, "--by", "ada"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with(&format!("approved {approved} by ada")) && said.lines().count() == 1, "{said}");
    reaches(&app, &approved, "completed").await;
    let (code, said) = decide(&["reject", &approved, "--by", "ada", "--reason", "too late"]).await;
    assert_eq!(code, Some(4), "decided twice: {said}");

    let refused = submit_refund(&app, "INV-2026-0046").await;
    reaches(&app, &refused, "awaiting_approval").await;
    let (code, said) =
        decide(&["reject", &refused, "--by", "ada", "--reason", "not our invoice", "-o", "json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let approval: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&approval["status"], &approval["reason"]), (&json!("rejected"), &json!("not our invoice")));
    reaches(&app, &refused, "completed").await;
    let (_, ticket) = app.get(&format!("/tickets/{refused}")).await;
    assert_eq!(ticket["action"], "handoff", "{ticket}");

    let unknown = "019e0000-0000-7000-8000-000000000000";
    assert_eq!(decide(&["approve", unknown, "--by", "ada"]).await.0, Some(3));
    assert_eq!(decide(&["reject", &refused, "--by", "ada"]).await.0, Some(2), "no reason");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}
