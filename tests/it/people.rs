//! What people decide about drafts, what they change, and what is kept of it.

use crate::support::{
    TestApp,
    app::{Process, run},
    until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use ticketflow_tickets::{
    taxonomy::Category,
    ticket::{Correction, corrections},
};

fn refund(invoice: &str) -> Value {
    json!({
        "subject": "I want a refund",
        "body": format!("You charged me 49.90 EUR twice for invoice {invoice}. Please refund me."),
        "customer_id": "c1",
    })
}

async fn submit(app: &TestApp, ticket: &Value) -> String {
    app.post("/tickets", ticket).await.1["ticket_id"].as_str().unwrap().to_owned()
}

async fn reaches(app: &TestApp, id: &str, status: &str) -> Value {
    let path = format!("/tickets/{id}");
    until(&format!("the ticket is {status}"), || async { app.get(&path).await.1["status"] == status }).await;
    app.get(&path).await.1
}

async fn decide(app: &TestApp, id: &str, decision: &Value) -> (StatusCode, Value) {
    app.post(&format!("/approvals/{id}/decide"), decision).await
}

/// A request with one more header; the status, that header of the answer, and its body.
async fn send(
    app: &TestApp,
    method: Method,
    path: &str,
    header: (&str, &str),
    body: &Value,
) -> (StatusCode, bool, Value) {
    let request = app.http().request(method, app.url(path)).header(header.0, header.1).json(body);
    let response = request.send().await.unwrap();
    let replayed = response.headers().contains_key("idempotency-replayed");
    (response.status(), replayed, response.json().await.unwrap())
}

/// The open request once it is about the draft of that number.
async fn asked_again(app: &TestApp, id: &str, redrafts_left: u64) -> Value {
    until("the next draft waits for a person", || async {
        let (_, waiting) = app.get("/approvals").await;
        waiting["approvals"]
            .as_array()
            .unwrap()
            .iter()
            .any(|asked| asked["id"] == id && asked["redrafts_left"] == redrafts_left)
    })
    .await;
    app.get("/approvals").await.1["approvals"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_have_a_draft_made_again_as_often_as_they_may_and_no_more() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let id = submit(&app, &refund("INV-2026-0201")).await;
    reaches(&app, &id, "awaiting_approval").await;
    for left in [2, 1, 0] {
        let again =
            json!({ "approved": false, "decided_by": "ada", "instructions": format!("shorter {left}") });
        let (status, answer) = decide(&app, &id, &again).await;
        assert_eq!((status, &answer["redrafts_left"]), (StatusCode::OK, &json!(left)), "{answer}");
        assert_eq!(answer["status"], "sent_back");
        asked_again(&app, &id, left).await;
    }
    let once_more = json!({ "approved": false, "decided_by": "ada", "instructions": "once more" });
    let (status, problem) = decide(&app, &id, &once_more).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("edited_response"), "{problem}");
    let (_, events) = app.get(&format!("/tickets/{id}/events?limit=500")).await;
    let drafts = events.as_array().unwrap().iter().filter(|event| event["step_name"] == "draft").count();
    assert_eq!(drafts, 4, "{events}");
    let sent_back = |event: &&Value| event.pointer("/payload/output/instructions").is_some();
    let last = events.as_array().unwrap().iter().rfind(sent_back).unwrap();
    assert_eq!(
        last.pointer("/payload/output/instructions").unwrap(),
        &json!(["shorter 2", "shorter 1", "shorter 0"])
    );
    let (status, _) = decide(&app, &id, &json!({ "approved": true, "decided_by": "ada" })).await;
    assert_eq!(status, StatusCode::OK);
    reaches(&app, &id, "completed").await;
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_sent_again_under_its_key_is_the_same_decision() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let id = submit(&app, &refund("INV-2026-0202")).await;
    reaches(&app, &id, "awaiting_approval").await;
    let path = format!("/approvals/{id}/decide");
    let keyed =
        async |key: &str, body: &Value| send(&app, Method::POST, &path, ("idempotency-key", key), body).await;
    let again = json!({ "approved": false, "decided_by": "ada", "instructions": "shorter" });
    let racing = futures::future::join_all((0..8).map(|_| keyed("k1", &again))).await;
    assert!(
        racing.iter().all(|(status, _, answer)| *status == StatusCode::OK && answer["status"] == "sent_back"),
        "{racing:?}"
    );
    assert_eq!(racing.iter().filter(|(_, replayed, _)| !replayed).count(), 1, "{racing:?}");
    let asked = asked_again(&app, &id, 2).await;
    let (status, replayed, answer) = keyed("k1", &again).await;
    assert_eq!((status, replayed), (StatusCode::OK, true), "though another request is open by now: {answer}");
    let approve = json!({ "approved": true, "decided_by": "ada" });
    let (status, _, problem) = keyed("k1", &approve).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused"))
    );

    let seq = asked["seq"].as_i64().unwrap();
    let old = json!({ "approved": true, "decided_by": "bo", "seq": seq - 1 });
    let (status, problem) = decide(&app, &id, &old).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(&format!("seq {seq}")), "{problem}");
    let (status, answer) =
        decide(&app, &id, &json!({ "approved": true, "decided_by": "bo", "seq": seq })).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (status, problem) = decide(&app, &id, &approve).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    reaches(&app, &id, "completed").await;
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_replies_are_from_their_drafts_is_kept_and_counted() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let mut ids = Vec::new();
    for invoice in ["INV-2026-0203", "INV-2026-0204"] {
        let id = submit(&app, &refund(invoice)).await;
        reaches(&app, &id, "awaiting_approval").await;
        ids.push(id);
    }
    let draft =
        app.get(&format!("/tickets/{}", ids[0])).await.1["result"]["draft"].as_str().unwrap().to_owned();
    let edited =
        json!({ "approved": true, "decided_by": "ada", "edited_response": format!("{draft} Yours, Ada") });
    assert_eq!(decide(&app, &ids[0], &edited).await.0, StatusCode::OK);
    assert_eq!(
        decide(&app, &ids[1], &json!({ "approved": true, "decided_by": "ada" })).await.0,
        StatusCode::OK
    );
    let changed = reaches(&app, &ids[0], "completed").await;
    let rewrite = &changed["result"]["rewrite"];
    let distance = rewrite["distance"].as_f64().unwrap();
    assert!(distance > 0.0 && distance < 0.2, "{rewrite}");
    let added = rewrite["diff"].as_array().unwrap().iter().find(|part| part["change"] == "added").unwrap();
    assert!(added["text"].as_str().unwrap().ends_with("Yours, Ada"), "{rewrite}");
    let as_drafted = reaches(&app, &ids[1], "completed").await;
    assert_eq!(as_drafted["result"]["rewrite"]["distance"].as_f64(), Some(0.0));
    let category = changed["category"].as_str().unwrap();
    let (_, stats) = app.get("/stats").await;
    let replies = &stats["replies"][category];
    assert_eq!((&replies["approved"], &replies["unchanged_share"]), (&json!(2), &json!(0.5)), "{stats}");
    assert!((replies["mean_edit_distance"].as_f64().unwrap() - distance / 2.0).abs() < 1e-9, "{stats}");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

async fn all_corrections(app: &TestApp) -> Vec<Correction> {
    let pool = app.pool().await;
    let mut connection = pool.acquire().await.unwrap();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = corrections(&mut connection, after, 1).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(last.ticket);
        all.extend(page);
    }
}

async fn patch(app: &TestApp, id: &str, version: &Value, edit: &Value) -> (StatusCode, Value) {
    let header = ("if-match", &*format!("\"{version}\""));
    let (status, _, answer) = send(app, Method::PATCH, &format!("/tickets/{id}"), header, edit).await;
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_made_on_the_version_that_was_seen() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let id = submit(&app, &refund("INV-2026-0208")).await;
    let seen = reaches(&app, &id, "awaiting_approval").await;
    let edit = json!({ "tags": ["vip"], "assignee": "bo" });
    let request = app.http().patch(app.url(&format!("/tickets/{id}"))).json(&edit).send().await.unwrap();
    assert_eq!(request.status(), StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(request.json::<Value>().await.unwrap()["code"], "precondition_required");
    let (status, edited) = patch(&app, &id, &seen["version"], &edit).await;
    assert_eq!(
        (status, &edited["assignee"], &edited["tags"]),
        (StatusCode::OK, &json!("bo"), &json!(["vip"]))
    );
    let (status, problem) = patch(&app, &id, &seen["version"], &edit).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{problem}");
    assert_eq!(problem["code"], "precondition_failed");
    for (bad, named) in [
        (json!({ "category": "shipping" }), "billing"),
        (json!({ "entities": { "order": "x" } }), "order_id"),
        (json!({ "status": "completed" }), "status"),
    ] {
        let (status, problem) = patch(&app, &id, &edited["version"], &bad).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["errors"].to_string().contains(named), "{problem}");
    }
    let (status, problem) = patch(&app, &id, &edited["version"], &json!({ "final_response": "Hi" })).await;
    assert_eq!(status, StatusCode::CONFLICT, "there is no reply yet: {problem}");
    assert_eq!(decide(&app, &id, &json!({ "approved": true, "decided_by": "ada" })).await.0, StatusCode::OK);
    let completed = reaches(&app, &id, "completed").await;
    let (_, rewritten) = patch(&app, &id, &completed["version"], &json!({ "final_response": "Hi" })).await;
    assert!(rewritten["result"]["rewrite"]["distance"].as_f64().unwrap() > 0.5, "{rewritten}");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_correct_is_recorded_beside_what_was_predicted() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let (id, other) =
        (submit(&app, &refund("INV-2026-0205")).await, submit(&app, &refund("INV-2026-0206")).await);
    let seen = reaches(&app, &id, "awaiting_approval").await;
    reaches(&app, &other, "awaiting_approval").await;
    let predicted = seen["category"].as_str().unwrap().to_owned();
    let edit = json!({ "category": "order", "entities": { "order_id": "ORD-1" }, "edited_by": "ada" });
    let (status, edited) = patch(&app, &id, &seen["version"], &edit).await;
    assert_eq!((status, &edited["category"]), (StatusCode::OK, &json!("order")), "{edited}");
    assert_eq!(edited["result"]["entities"]["order_id"], "ORD-1");
    assert_eq!(edited["result"]["entities"]["invoice_ids"], seen["result"]["entities"]["invoice_ids"]);
    let command = ["tickets", "edit", &id, "--by", "bo", "--category", "account", "--priority", "low"];
    let done = run(app.command(&command)).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let found = all_corrections(&app).await;
    let [correction] = found.as_slice() else { panic!("{found:?}") };
    let category = correction.category.clone().unwrap();
    let named = |name: &str| Category::parse(name).unwrap();
    assert_eq!((category.predicted, category.old), (Some(named(&predicted)), Some(named("order"))));
    assert_eq!((category.new, correction.subject.as_str()), (named("account"), "I want a refund"));
    assert_eq!(correction.language.unwrap().code(), "en");
    let entities = correction.entities.clone().unwrap();
    assert_eq!(
        (&entities.old.unwrap()["order_id"], &entities.new["order_id"]),
        (&Value::Null, &json!("ORD-1"))
    );
    assert!(correction.priority.is_some());
    let (_, events) = app.get(&format!("/tickets/{id}/events?limit=500")).await;
    let all = events.as_array().unwrap().iter();
    let edits: Vec<&Value> = all.filter(|event| event["event_type"] == "edited").collect();
    assert_eq!(edits.len(), 2, "{events}");
    let about = &edits[0]["payload"]["data"]["about"];
    assert_eq!((&about["edited_by"], &about["predicted_by"]["provider"]), (&json!("ada"), &json!("offline")));
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

fn told(app: &TestApp, directory: &tempfile::TempDir, config: &str) -> Process {
    let file = directory.path().join("ticketflow.toml");
    std::fs::write(&file, config).unwrap();
    app.worker(&["--config", file.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_when_a_person_is_asked_and_for_how_long() {
    let (app, directory) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let parcel = |number: u32| {
        let body = format!("My order ORD-4821{number} was due last week. Can you tell me where it is?");
        json!({ "subject": "Where is my parcel?", "body": body, "customer_id": "c2" })
    };
    let worker = told(&app, &directory, "[triage.approval]\nwhen = 'always'\ndeadline_hours = 2\n");
    let asked = submit(&app, &parcel(1)).await;
    reaches(&app, &asked, "awaiting_approval").await;
    let (_, waiting) = app.get("/approvals").await;
    let time = |field: &str| -> chrono::DateTime<chrono::Utc> {
        waiting["approvals"][0][field].as_str().unwrap().parse().unwrap()
    };
    let given = (time("deadline") - time("requested_at")).as_seconds_f64();
    assert!((given - 7_200.0).abs() < 60.0, "{waiting}");
    assert!(waiting["approvals"][0]["reasons"].to_string().contains("every draft"), "{waiting}");
    assert_eq!(worker.stop().await, 0);

    let worker = told(
        &app,
        &directory,
        "[triage.approval]\nwhen = 'always'\n[triage.approval.categories.billing]\nwhen = 'never'\n",
    );
    let unasked = submit(&app, &refund("INV-2026-0207")).await;
    let done = reaches(&app, &unasked, "completed").await;
    assert_eq!(
        (&done["category"], &done["result"]["decided_by"]),
        (&json!("billing"), &json!("policy")),
        "{done}"
    );
    assert_eq!(worker.stop().await, 0);

    let file = directory.path().join("ticketflow.toml");
    std::fs::write(&file, "[triage.approval]\nmin_confidence = 7\n").unwrap();
    let refused = run(app.command(&["--config", file.to_str().unwrap(), "worker"])).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("min_confidence") && said.contains("0 to 1"),
        "{said}"
    );
    app.finish().await;
}
