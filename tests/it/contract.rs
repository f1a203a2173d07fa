//! The HTTP contract, as clients see it.

use crate::support::{TestApp, app::ticket, until};
use reqwest::StatusCode;
use serde_json::{Value, json};

fn status_of(problem: &Value) -> (u64, &str) {
    (problem["status"].as_u64().unwrap_or(0), problem["code"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_ticket_is_acknowledged_and_found() {
    let app = TestApp::start().await;
    let response = app.http().post(app.url("/tickets")).json(&ticket(1)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(response.headers().contains_key("etag") && response.headers().contains_key("x-request-id"));
    let posted: Value = response.json().await.unwrap();
    assert_eq!(posted["status"], "pending");
    let id = posted["ticket_id"].as_str().unwrap();
    assert_eq!(location, format!("/tickets/{id}"));
    let (status, found) = app.get(&location).await;
    assert_eq!((status, &found["id"]), (StatusCode::OK, &json!(id)));
    assert_eq!(found["result"], Value::Null);
    let (_, versioned) = app.get(&format!("/api/v1/tickets/{id}")).await;
    assert_eq!(versioned["id"], json!(id));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_a_problem_that_names_the_field() {
    let app = TestApp::start().await;
    let long = "x".repeat(501);
    let cases = [
        (json!({ "body": "b", "customer_id": "c" }), "/subject"),
        (json!({ "subject": " ", "body": "b", "customer_id": "c" }), "/subject"),
        (json!({ "subject": long, "body": "b", "customer_id": "c" }), "/subject"),
        (json!({ "subject": "s", "body": "a\u{0}b", "customer_id": "c" }), "/body"),
        (json!({ "subject": "s", "body": "b", "customer_id": "c", "colour": "red" }), "/colour"),
        (json!({ "subject": "s", "body": 7, "customer_id": "c" }), "/body"),
    ];
    for (ticket, pointer) in cases {
        let (status, problem) = app.post("/tickets", &ticket).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let broken = app.http().post(app.url("/tickets")).header("content-type", "application/json").body("{");
    let broken = broken.send().await.unwrap();
    assert_eq!(broken.headers()["content-type"], "application/problem+json");
    assert!(broken.status().is_client_error());
    for (path, status) in [("/nowhere", 404), ("/tickets/019e0000-0000-7000-8000-000000000000", 404)] {
        let (_, problem) = app.get(path).await;
        assert_eq!(status_of(&problem).0, status, "{problem}");
    }
    let (_, problem) = app.get("/tickets?colour=red").await;
    assert!(
        problem["detail"].to_string().contains("colour") || problem["errors"].to_string().contains("colour")
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_is_the_same_ticket() {
    let app = TestApp::start().await;
    let post = |key: Option<&'static str>, ticket: Value| {
        let request = app.http().post(app.url("/tickets")).json(&ticket);
        let request = key.iter().fold(request, |request, key| request.header("idempotency-key", *key));
        async move {
            let response = request.send().await.unwrap();
            let replayed = response.headers().get("idempotency-replayed").is_some();
            (response.status(), replayed, response.json::<Value>().await.unwrap())
        }
    };
    let (_, fresh, first) = post(None, ticket(1)).await;
    let (status, replayed, second) = post(None, ticket(1)).await;
    assert_eq!((status, fresh, replayed), (StatusCode::CREATED, false, true));
    assert_eq!(first["ticket_id"], second["ticket_id"]);
    let (_, _, keyed) = post(Some("k1"), ticket(2)).await;
    let (_, replayed, again) = post(Some("k1"), ticket(2)).await;
    assert!(replayed && keyed["ticket_id"] == again["ticket_id"]);
    let (status, _, problem) = post(Some("k1"), ticket(3)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let racing = futures::future::join_all((0..20).map(|_| post(Some("k2"), ticket(4)))).await;
    let ids: std::collections::BTreeSet<String> =
        racing.iter().map(|(_, _, answer)| answer["ticket_id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{racing:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_item_of_a_batch_harms_no_other() {
    let app = TestApp::start().await;
    let batch = json!([ticket(1), { "subject": "", "body": "b", "customer_id": "c" }, ticket(2)]);
    let (status, answer) = app.post("/tickets/batch", &batch).await;
    assert!(status.is_success(), "{answer}");
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert!(results[0]["ticket_id"].is_string() && results[2]["ticket_id"].is_string(), "{answer}");
    assert_eq!(results[1]["problem"]["status"], 422, "{answer}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sent_again_makes_no_ticket_twice_and_shares_no_key_with_single_tickets() {
    let app = TestApp::start().await;
    let send = async |path: &str, key: &str, body: Value| -> Value {
        let request = app.http().post(app.url(path)).header("idempotency-key", key).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    let batch = json!([ticket(1), ticket(2)]);
    let ids = |answer: &Value| [0, 1].map(|item| answer["results"][item]["ticket_id"].to_string());
    let first = send("/tickets/batch", "k", batch.clone()).await;
    let again = send("/tickets/batch", "k", batch).await;
    assert_eq!(ids(&first), ids(&again));
    for key in ["k", "k#0", "k0"] {
        let single = send("/tickets", key, ticket(1)).await;
        assert!(!ids(&first).contains(&single["ticket_id"].to_string()), "{key}: {single}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_walked_by_cursor_without_gaps() {
    let app = TestApp::start().await;
    let submitted: std::collections::BTreeSet<String> = app.submit(57).await.into_iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut path = "/tickets?limit=10".to_owned();
    loop {
        let (status, page) = app.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        for found in page["tickets"].as_array().unwrap() {
            assert!(seen.insert(found["id"].as_str().unwrap().to_owned()), "seen twice: {found}");
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/tickets?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, submitted);
    let (_, mine) = app.get("/tickets?customer_id=customer-3").await;
    assert!(mine["tickets"].as_array().unwrap().iter().all(|ticket| ticket["customer_id"] == "customer-3"));
    let (_, parcels) = app.get("/tickets?q=parcel").await;
    assert!(!parcels["tickets"].as_array().unwrap().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_ticket_has_its_six_steps_in_the_log_and_a_chain_that_verifies() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let response =
        app.http().post(app.url("/tickets")).header("prefer", "wait=30").json(&ticket(4)).send().await;
    let posted: Value = response.unwrap().json().await.unwrap();
    let id = posted["ticket_id"].as_str().or(posted["id"].as_str()).unwrap().to_owned();
    app.settle().await;
    let (_, found) = app.get(&format!("/tickets/{id}")).await;
    assert_eq!(found["status"], "completed", "{found}");
    assert_eq!(found["result"]["classification"], found["result"]["category"]);
    for field in
        ["priority", "sentiment_score", "language", "entities", "research", "draft", "review", "action"]
    {
        assert!(!found["result"][field].is_null(), "{field} is missing: {found}");
    }
    let (_, events) = app.get(&format!("/tickets/{id}/events")).await;
    let events = events.as_array().unwrap();
    let steps: Vec<&str> = events
        .iter()
        .filter(|e| e["event_type"] == "step_complete")
        .filter_map(|e| e["step_name"].as_str())
        .collect();
    assert_eq!(steps, ["classify", "extract", "research", "draft", "review", "finalize"]);
    assert!(events.iter().enumerate().all(|(position, event)| event["seq"] == json!(position)));
    let (_, verdict) = app.get(&format!("/tickets/{id}/events/verify")).await;
    assert_eq!(verdict["intact"], true, "{verdict}");
    let (_, tail) = app.get(&format!("/tickets/{id}/events?after=2&limit=2")).await;
    assert_eq!(tail[0]["seq"], 3);
    let (_, run) = app.get(&format!("/tickets/{id}/run")).await;
    assert_eq!(run["steps"].as_array().unwrap().len(), 6, "{run}");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_ticket_waits_for_a_person_whose_decision_counts_once() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let refund = json!({
        "subject": "I want a refund",
        "body": "You charged me 49.90 EUR twice for invoice INV-2026-0042. I want my money back, please refund me.",
        "customer_id": "c1",
    });
    let (_, posted) = app.post("/tickets", &refund).await;
    let id = posted["ticket_id"].as_str().unwrap().to_owned();
    until("an approval is asked for", || async {
        let (_, found) = app.get(&format!("/tickets/{id}")).await;
        found["status"] == "awaiting_approval"
    })
    .await;
    let (_, waiting) = app.get("/approvals").await;
    assert!(waiting.to_string().contains(&id), "{waiting}");
    let decision =
        json!({ "approved": true, "decided_by": "agent-7", "edited_response": "We have looked into it." });
    let (status, decided) = app.post(&format!("/approvals/{id}/decide"), &decision).await;
    assert!(status.is_success(), "{decided}");
    let (status, twice) = app.post(&format!("/approvals/{id}/decide"), &decision).await;
    assert_eq!(status, StatusCode::CONFLICT, "{twice}");
    app.settle().await;
    until("the ticket is done", || async {
        let (_, found) = app.get(&format!("/tickets/{id}")).await;
        found["status"] == "completed" && found["result"]["final_response"] == "We have looked into it."
    })
    .await;
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_pause_resume_cancel_and_fork_over_http() {
    let app = TestApp::start().await;
    let ids = app.submit(2).await;
    let reason = json!({ "reason": "a test" });
    let act = |id: &str, verb: &str| format!("/tickets/{id}/{verb}");
    let (status, answer) = app.post(&act(&ids[0], "pause"), &reason).await;
    assert!(status.is_success(), "{answer}");
    let (_, run) = app.get(&act(&ids[0], "run")).await;
    assert!(run["waits_because"].as_str().unwrap().contains("paused"), "{run}");
    let (status, answer) = app.post(&act(&ids[0], "resume"), &reason).await;
    assert!(status.is_success(), "{answer}");
    let (status, problem) =
        app.post(&act(&ids[0], "resume"), &json!({ "reason": "x", "from_step": "boil" })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let (status, answer) = app.post(&act(&ids[1], "cancel"), &reason).await;
    assert!(status.is_success(), "{answer}");
    let (status, problem) = app.post(&act(&ids[1], "cancel"), &reason).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let (_, cancelled) = app.get(&format!("/tickets/{}", ids[1])).await;
    assert_eq!(cancelled["status"], "cancelled");
    let worker = app.worker(&[]);
    app.settle().await;
    let (status, forked) =
        app.post(&act(&ids[0], "fork"), &json!({ "reason": "again", "from_step": "draft" })).await;
    assert_eq!(status, StatusCode::CREATED, "{forked}");
    app.settle().await;
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_metrics_and_queue_tell_how_things_stand() {
    let app = TestApp::start().await;
    app.submit(3).await;
    let (status, health) = app.get("/health").await;
    assert_eq!((status, &health["database"]), (StatusCode::OK, &json!("healthy")), "{health}");
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(app.get(path).await.0, StatusCode::OK);
    }
    let (_, queue) = app.get("/queue/stats").await;
    assert_eq!(queue["ready"], 3, "{queue}");
    let (_, metrics) = app.get("/metrics").await;
    let metrics = metrics.as_str().unwrap().to_owned();
    for name in [
        "queue_depth{state=\"ready\"} 3",
        "tickets_created_total",
        "http_request_duration_seconds",
        "active_workers 0",
    ] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    let (_, workflows) = app.get("/workflows").await;
    assert!(workflows.to_string().contains("ticket_triage"), "{workflows}");
    for format in ["mermaid", "dot", "svg", "ascii"] {
        assert_eq!(
            app.get(&format!("/workflows/ticket_triage/graph?format={format}")).await.0,
            StatusCode::OK
        );
    }
    app.finish().await;
}
