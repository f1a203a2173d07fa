//! Guarded actions: nothing before a person's word, and then once, whatever the receiver and the workers do.

use crate::support::{
    TestApp,
    app::{Process, run},
    receiver::{Mood, Receiver, SECRET},
    until,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A desk whose workers know the receiver's actions.
struct Desk {
    app: TestApp,
    receiver: Receiver,
    directory: tempfile::TempDir,
}

impl Desk {
    async fn open(timeout_ms: u32, retries: u32) -> Self {
        Self::open_told(timeout_ms, retries, "").await
    }

    /// With lines for the section of the step.
    async fn open_told(timeout_ms: u32, retries: u32, step: &str) -> Self {
        let (app, receiver) = (TestApp::start().await, Receiver::start().await);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("actions.toml"), receiver.actions(timeout_ms, retries)).unwrap();
        let config = format!(
            "[triage]\nactions = 'actions.toml'\n\
             [steps.finalize]\nbackoff = {{ base_ms = 1, factor = 1.0, cap_ms = 1 }}\n{step}"
        );
        std::fs::write(directory.path().join("ticketflow.toml"), config).unwrap();
        Self { app, receiver, directory }
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("ticketflow.toml")
    }

    fn worker(&self, flags: &[&str]) -> Process {
        let config = self.config();
        let flags = [&["--config", config.to_str().unwrap()], flags].concat();
        self.app.worker_told(&flags, &[("RECEIVER_SECRET", SECRET)])
    }

    /// A ticket that waits for a person, with two actions proposed.
    async fn refund(&self, invoice: &str) -> String {
        let refund = json!({
            "subject": "Charged twice",
            "body": format!("I was charged 49.90 EUR twice for invoice {invoice}. Please refund the second charge."),
            "customer_id": "c1",
        });
        let id = self.app.post("/tickets", &refund).await.1["ticket_id"].as_str().unwrap().to_owned();
        self.reaches(&id, "awaiting_approval").await;
        id
    }

    async fn decide(&self, id: &str, decision: &Value) -> Value {
        let (status, answer) = self.app.post(&format!("/approvals/{id}/decide"), decision).await;
        assert!(status.is_success(), "{answer}");
        answer
    }

    async fn approve(&self, id: &str) -> Value {
        self.decide(id, &json!({ "approved": true, "decided_by": "ada" })).await
    }

    /// Sets a ticket back to a step, with outputs in the place of checkpoints.
    async fn set_back(&self, id: &str, step: &str, edited: &Value) {
        let again = json!({ "reason": "a test", "from_step": step, "edited_outputs": edited });
        for (action, body) in [("pause", json!({ "reason": "a test" })), ("resume", again)] {
            let (status, answer) = self.app.post(&format!("/tickets/{id}/{action}"), &body).await;
            assert!(status.is_success(), "{answer}");
        }
    }

    async fn reaches(&self, id: &str, status: &str) {
        until(&format!("the ticket is {status}"), || async { self.ticket(id).await["status"] == status })
            .await;
    }

    async fn ticket(&self, id: &str) -> Value {
        self.app.get(&format!("/tickets/{id}")).await.1
    }

    /// The result of a ticket that came to its end.
    async fn result(&self, id: &str) -> Value {
        self.reaches(id, "completed").await;
        self.ticket(id).await["result"].clone()
    }

    async fn close(self, worker: Process) {
        assert_eq!(worker.stop().await, 0);
        self.app.finish().await;
    }
}

fn statuses(result: &Value) -> Vec<(&str, &str)> {
    let outcomes = result["actions"].as_array().unwrap().iter();
    outcomes.map(|done| (done["name"].as_str().unwrap(), done["status"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_action_runs_only_after_approval_and_its_result_is_in_the_log() {
    let desk = Desk::open(10_000, 4).await;
    let worker = desk.worker(&[]);
    let id = desk.refund("INV-2026-0101").await;
    let (_, waiting) = desk.app.get("/approvals").await;
    let proposed = &waiting["approvals"][0]["actions"];
    assert_eq!(proposed[0]["name"], "issue_refund", "{waiting}");
    let parameters = json!({ "amount": "49.90", "currency": "EUR", "customer": "c1" });
    assert_eq!(proposed[0]["parameters"], parameters, "{waiting}");
    assert_eq!(proposed[1]["parameters"], json!({ "invoice": "INV-2026-0101" }), "{waiting}");
    assert!(desk.receiver.calls().is_empty(), "nobody has approved it");
    desk.approve(&id).await;
    let result = desk.result(&id).await;
    assert_eq!(statuses(&result), [("issue_refund", "done"), ("create_bug_report", "done")], "{result}");
    let done = &result["actions"][0];
    assert_eq!(
        (&done["http_status"], &done["response"]),
        (&json!(200), &json!(r#"{"done":"issue_refund"}"#))
    );
    assert!(result["final_response"].is_string() && result["decided_by"] == "person:ada", "{result}");
    let calls = desk.receiver.calls();
    assert!(calls.len() == 2 && calls[0].key.starts_with(&format!("{id}/issue_refund/")), "{calls:?}");
    let asked: Value = serde_json::from_slice(&calls[0].body).unwrap();
    assert_eq!((&asked["parameters"], calls[0].approved_by.as_str()), (&parameters, "ada"));
    desk.receiver.assert_each_was_done_once();
    let (_, events) = desk.app.get(&format!("/tickets/{id}/events")).await;
    assert!(
        events.as_array().unwrap().last().unwrap()["payload"].is_object()
            && events.to_string().contains("http_status")
    );
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_sent_back_or_left_out_is_not_done() {
    let desk = Desk::open(10_000, 4).await;
    let worker = desk.worker(&[]);
    let rejected = desk.refund("INV-2026-0102").await;
    desk.decide(&rejected, &json!({ "approved": false, "decided_by": "ada", "reason": "not ours" })).await;
    assert_eq!(desk.result(&rejected).await["action"], "handoff");

    let unknown = desk.refund("INV-2026-0103").await;
    let decision = json!({ "approved": true, "decided_by": "ada", "actions": ["reset_password"] });
    let (status, problem) = desk.app.post(&format!("/approvals/{unknown}/decide"), &decision).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("create_bug_report"), "{problem}");
    let again = json!({ "approved": false, "decided_by": "ada", "instructions": "Name the invoice." });
    desk.decide(&unknown, &again).await;
    until("the next draft waits for a person", || async {
        let (_, waiting) = desk.app.get("/approvals").await;
        waiting["approvals"][0]["redrafts_left"] == 2
    })
    .await;
    assert!(desk.receiver.calls().is_empty());

    let approve = ["tickets", "approve", &unknown, "--by", "ada", "--action", "create_bug_report"];
    let done = run(desk.app.command(&approve)).await;
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("after create_bug_report"), "{said}");
    let result = desk.result(&unknown).await;
    assert_eq!(statuses(&result), [("issue_refund", "declined"), ("create_bug_report", "done")], "{result}");
    assert_eq!(desk.receiver.done().len(), 1);
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_or_hangs_is_called_again_under_the_same_key() {
    let desk = Desk::open(300, 6).await;
    let worker = desk.worker(&[]);
    let id = desk.refund("INV-2026-0104").await;
    let failing = [
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::CONFLICT,
    ];
    desk.receiver.answer(failing.map(Mood::Refuse));
    desk.receiver.answer([Mood::Hang]);
    desk.approve(&id).await;
    let result = desk.result(&id).await;
    assert_eq!(statuses(&result), [("issue_refund", "done"), ("create_bug_report", "done")], "{result}");
    assert_eq!((desk.receiver.calls().len(), desk.receiver.done().len()), (7, 2), "one effect for each key");
    desk.receiver.assert_each_was_done_once();
    let (_, events) = desk.app.get(&format!("/tickets/{id}/events?limit=500")).await;
    let retries: Vec<&Value> =
        events.as_array().unwrap().iter().filter(|event| event["event_type"] == "retry").collect();
    assert_eq!(retries.len(), 5, "{events}");
    assert!(retries.iter().all(|retry| retry["payload"]["error"]["code"] == "action_failed"), "{retries:?}");
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_is_refused_or_tried_in_vain_brings_the_ticket_to_a_person() {
    let desk = Desk::open(10_000, 1).await;
    let worker = desk.worker(&[]);
    let refused = desk.refund("INV-2026-0105").await;
    desk.receiver.answer([Mood::Refuse(StatusCode::UNPROCESSABLE_ENTITY)]);
    desk.approve(&refused).await;
    let result = desk.result(&refused).await;
    assert_eq!(statuses(&result)[0], ("issue_refund", "failed"), "{result}");
    assert_eq!((&result["action"], &result["final_response"]), (&json!("handoff"), &Value::Null), "{result}");
    let outcome = &result["actions"][0];
    assert_eq!(
        (&outcome["http_status"], &outcome["response"]),
        (&json!(422), &json!("not now please")),
        "{outcome}"
    );
    assert!(outcome["reason"].as_str().unwrap().contains("422"), "{outcome}");

    let in_vain = desk.refund("INV-2026-0106").await;
    desk.receiver.answer([Mood::Refuse(StatusCode::BAD_GATEWAY); 2]);
    desk.approve(&in_vain).await;
    let result = desk.result(&in_vain).await;
    let reason = result["actions"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("tried 2 times; outcome unknown: check with the receiver"), "{result}");
    assert_eq!(result["action"], "handoff", "{result}");
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_an_action_and_its_checkpoint_leaves_one_effect() {
    let desk = Desk::open(45_000, 4).await;
    let lease = ["--lease", crate::support::app::SHORT_LEASE];
    let doomed = desk.worker(&lease);
    let id = desk.refund("INV-2026-0107").await;
    desk.receiver.answer([Mood::Hang]);
    desk.approve(&id).await;
    desk.receiver.called(1).await;
    assert_eq!(desk.receiver.done().len(), 1, "it was done, and nobody knows");
    doomed.kill();
    let heir = desk.worker(&lease);
    let result = desk.result(&id).await;
    assert_eq!(statuses(&result), [("issue_refund", "done"), ("create_bug_report", "done")], "{result}");
    let calls = desk.receiver.calls();
    assert_eq!((calls.len(), desk.receiver.done().len()), (3, 2));
    assert_eq!(calls[0], calls[1], "the same call under the same key");
    desk.receiver.assert_each_was_done_once();
    desk.close(heir).await;
}

/// An operator may put an output in the place of a checkpoint, but not a person's approval.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_checkpoint_is_no_approval() {
    let desk = Desk::open(10_000, 4).await;
    let worker = desk.worker(&[]);
    let id = desk.refund("INV-2026-0108").await;
    let (_, waiting) = desk.app.get("/approvals").await;
    let forged = json!({
        "approved_by": "nobody", "response": "Done.", "late": false, "left": waiting["approvals"][0]["actions"],
        "outcomes": [],
    });
    desk.set_back(&id, "finalize", &json!({ "finalize": forged })).await;
    desk.reaches(&id, "failed_permanent").await;
    assert_eq!(desk.ticket(&id).await["error_code"], "not_approved");
    assert!(desk.receiver.calls().is_empty());
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_checkpoint_brings_back_no_action_that_was_left_out() {
    let desk = Desk::open(45_000, 4).await;
    let worker = desk.worker(&[]);
    let id = desk.refund("INV-2026-0109").await;
    let (_, waiting) = desk.app.get("/approvals").await;
    desk.receiver.answer([Mood::Hang]);
    desk.decide(&id, &json!({ "approved": true, "decided_by": "ada", "actions": ["create_bug_report"] }))
        .await;
    desk.receiver.called(1).await;
    let forged = json!({
        "approved_by": "ada", "response": "Done.", "late": false, "left": waiting["approvals"][0]["actions"],
        "outcomes": [],
    });
    desk.set_back(&id, "finalize", &json!({ "finalize": forged })).await;
    desk.reaches(&id, "failed_permanent").await;
    assert_eq!(desk.ticket(&id).await["error_code"], "not_approved");
    assert_eq!(desk.receiver.calls().len(), 1, "the refund was declined");
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_by_its_status_however_it_ends() {
    let desk = Desk::open(1_000, 0).await;
    let worker = desk.worker(&[]);
    let id = desk.refund("INV-2026-0110").await;
    desk.receiver.answer([Mood::Stall, Mood::BreakOff]);
    desk.approve(&id).await;
    let result = desk.result(&id).await;
    assert_eq!(statuses(&result), [("issue_refund", "done"), ("create_bug_report", "done")], "{result}");
    assert_eq!(result["actions"][0]["http_status"], 200, "{result}");
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_attempt_of_the_step_is_the_last_try_of_its_action() {
    let desk = Desk::open_told(10_000, 4, "max_attempts = 3\n").await;
    let worker = desk.worker(&[]);
    let id = desk.refund("INV-2026-0111").await;
    desk.receiver.answer([Mood::Refuse(StatusCode::BAD_GATEWAY); 3]);
    desk.approve(&id).await;
    let result = desk.result(&id).await;
    assert_eq!(statuses(&result)[0], ("issue_refund", "failed"), "{result}");
    assert!(result["actions"][0]["reason"].as_str().unwrap().contains("tried 3 times"), "{result}");
    assert_eq!(result["action"], "handoff", "{result}");
    desk.close(worker).await;
}

/// A receiver answers a key that it knows as the first time: what is new needs a new one, and what is not, the old.
#[tokio::test(flavor = "multi_thread")]
async fn an_action_with_other_parameters_is_another_one_and_says_that_there_was_one() {
    let desk = Desk::open(45_000, 4).await;
    let worker = desk.worker(&[]);
    let id = desk.refund("INV-2026-0112").await;
    desk.receiver.answer([Mood::Take, Mood::Hang]);
    desk.approve(&id).await;
    desk.receiver.called(2).await;
    let mut entities = desk.ticket(&id).await["result"]["entities"].clone();
    entities["amounts"][0]["value"] = json!("19.90");
    desk.set_back(&id, "research", &json!({ "extract": entities })).await;
    desk.reaches(&id, "awaiting_approval").await;
    let (_, waiting) = desk.app.get("/approvals").await;
    let reasons = waiting["approvals"][0]["reasons"].to_string();
    assert!(
        reasons.contains("issue_refund was approved before, by ada") && reasons.contains("49.90"),
        "{reasons}"
    );
    desk.decide(&id, &json!({ "approved": true, "decided_by": "bob" })).await;
    let result = desk.result(&id).await;
    assert_eq!(statuses(&result), [("issue_refund", "done"), ("create_bug_report", "done")], "{result}");
    let calls = desk.receiver.calls();
    let [first, reported, other, reported_again] = calls.as_slice() else { panic!("{calls:?}") };
    assert_ne!(first.key, other.key);
    assert_eq!((&reported.key, &reported.body), (&reported_again.key, &reported_again.body));
    assert_eq!((reported.approved_by.as_str(), reported_again.approved_by.as_str()), ("ada", "bob"));
    assert_eq!(desk.receiver.done().len(), 3, "two refunds, as approved twice, and one report");
    desk.close(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_could_not_sign_an_action_says_so_and_does_not_start() {
    let desk = Desk::open(10_000, 4).await;
    let config = desk.config();
    let done = run(desk.app.command(&["--config", config.to_str().unwrap(), "worker"])).await;
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("RECEIVER_SECRET_FILE"), "{said}");
    desk.app.finish().await;
}
