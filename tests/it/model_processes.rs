//! Models as operators meet them: variables, the configuration file, health, metrics, statistics.

use crate::support::{
    TestApp,
    app::{Process, program, run, ticket},
    until,
};
use reqwest::StatusCode;
use serde_json::Value;
use ticketflow_fake_llm::{Behaviour, FakeModel, Mode};

const KEY: &str = "sk-canary-5f0a1b2c";

/// A free address. Somebody else may take it before it is used, but hardly does.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn worker(app: &TestApp, model: &FakeModel, metrics: &str) -> Process {
    let mut command = app.command(&["worker", "--metrics", metrics]);
    command.env("OPENAI_BASE_URL", model.url()).env("OPENAI_API_KEY", KEY).env("OPENAI_MODEL", "fake");
    Process::start(command)
}

async fn triaged(app: &TestApp) -> Value {
    let (_, posted) = app.post("/tickets", &ticket(2)).await;
    let path = format!("/tickets/{}", posted["ticket_id"].as_str().unwrap());
    until("the ticket is triaged", || async {
        let status = app.get(&path).await.1["status"].clone();
        status == "completed" || status == "awaiting_approval"
    })
    .await;
    app.get(&path).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_alone_turn_a_model_on_and_everything_tells_of_it() {
    let (app, model) = (TestApp::start().await, FakeModel::start(Behaviour::default()).await.unwrap());
    let metrics = free_address();
    let worker = worker(&app, &model, &metrics);
    let done = triaged(&app).await;
    assert_eq!(
        (&done["result"]["provider"], &done["result"]["model"]),
        (&"openai".into(), &"fake".into()),
        "{done}"
    );
    let seen = model.requests();
    assert!(seen.iter().all(|seen| seen.authorization.as_deref() == Some(&format!("Bearer {KEY}"))));
    let (status, deep) = app.get("/health/deep").await;
    assert_eq!(
        (status, &deep["models"], &deep["pending_migrations"]),
        (StatusCode::OK, &"healthy".into(), &0.into())
    );
    let breaker = &deep["breakers"][0];
    assert_eq!(
        (&breaker["provider"], &breaker["model"], &breaker["state"]),
        (&"openai".into(), &"fake".into(), &"closed".into())
    );
    let (_, counts) = app.get("/stats").await;
    assert_eq!(
        (counts["prompts"].as_array().unwrap().len(), &counts["prompts"][0]["accepted"]),
        (4, &1.into()),
        "{counts}"
    );
    assert_eq!(counts["ai_success_rate"], 1.0, "{counts}");
    let scraped =
        app.http().get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
    for line in [
        r#"model_calls_total{provider="openai",model="fake",step="classify",outcome="answered"} 1"#,
        // A draft may have been sent back.
        &format!(r#"model_call_duration_seconds_count{{provider="openai",model="fake"}} {}"#, seen.len()),
        r#"model_tokens_total{provider="openai",model="fake",direction="input"}"#,
    ] {
        assert!(scraped.contains(line), "{line} is not in {scraped}");
    }
    assert!(!scraped.contains(KEY) && !done.to_string().contains(KEY) && !deep.to_string().contains(KEY));
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
    model.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_not_asked_any_more_is_seen_in_health_and_metrics() {
    let (app, model) =
        (TestApp::start().await, FakeModel::start(Behaviour::always(Mode::Quota)).await.unwrap());
    let metrics = free_address();
    let worker = worker(&app, &model, &metrics);
    let done = triaged(&app).await;
    assert_eq!(
        (&done["result"]["ai_status"], &done["result"]["provider"]),
        (&"fallback".into(), &"offline".into())
    );
    assert_eq!((done["status"].as_str(), model.tally().requests), (Some("completed"), 1), "{done}");
    let (status, deep) = app.get("/health/deep").await;
    assert_eq!(
        (status, &deep["status"], &deep["models"]),
        (StatusCode::OK, &"unhealthy".into(), &"unhealthy".into())
    );
    assert_eq!(
        (&deep["breakers"][0]["state"], &deep["database"]),
        (&"open".into(), &"healthy".into()),
        "{deep}"
    );
    assert_eq!(app.get("/health").await.0, StatusCode::OK, "tickets are triaged all the same");
    let (_, shown) = app.get("/metrics").await;
    assert!(
        shown.to_string().contains("model_breaker_state{provider=\\\"openai\\\",model=\\\"fake\\\"} 2"),
        "{shown}"
    );
    let scraped =
        app.http().get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
    for line in [
        r#"model_fallbacks_total{step="classify",reason="quota_exhausted"} 1"#,
        r#"model_fallbacks_total{step="draft",reason="breaker_open"} 1"#,
    ] {
        assert!(scraped.contains(line), "{line} is not in {scraped}");
    }
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
    model.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_does_not_go_together_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ticketflow.toml");
    let step = "[steps.draft]\nprovider = \"openai\"\nmodel = \"m\"\n";
    for (text, told) in [
        (format!("[providers.openai]\n{step}"), "OPENAI_API_KEY_FILE"),
        (format!("[providers.openai]\napi_key = \"{KEY}\"\n{step}"), "api_key_env"),
        (step.to_owned(), "add [providers.openai]"),
    ] {
        std::fs::write(&path, text).unwrap();
        let mut command = program();
        command.arg("worker").arg("--config").arg(&path).env_remove("OPENAI_API_KEY");
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none");
        let refused = run(command).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(told) && !said.contains(KEY), "{told} is not in {said}");
    }
}
