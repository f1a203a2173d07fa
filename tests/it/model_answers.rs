//! What a model's answers become: results with an account, looked at before they are taken.

use crate::support::desk::{MODEL_STEPS, PROVIDER, desk, only, provider, ticket};
use serde_json::{Value, json};
use ticketflow_engine::status::RunStatus;
use ticketflow_fake_llm::{Behaviour, INVENTED_ID, INVENTED_LINK, Mode};
use ticketflow_tickets::triage::{AiStatus, TriageStep};
use ticketflow_workflows::models::{ModelPrice, PriceTable};

fn prices() -> PriceTable {
    let price = ModelPrice { input: 2.0, output: 8.0, cached: 1.0 };
    PriceTable { version: "2026-11".to_owned(), models: [("fake".to_owned(), price)].into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_four_steps_are_done_by_the_model_and_accounted() {
    let desk = desk(Behaviour::default(), |settings| provider(settings).prices = Some(prices())).await;
    let run = desk.triage(&ticket(2)).await;
    let (mut cost, mut calls) = (0.0, 0);
    for account in desk.accounts(run).await {
        assert_eq!(
            (account.ai_status, account.provider.as_str()),
            (AiStatus::Done, PROVIDER),
            "{account:#?}"
        );
        let (call, tokens) = (&account.calls[0], account.tokens.unwrap());
        assert_eq!((call.price_version.as_deref(), call.attempt), (Some("2026-11"), 1));
        #[expect(clippy::cast_precision_loss, reason = "a test's tokens are few")]
        let expected = (tokens.input as f64).mul_add(2.0, tokens.output as f64 * 8.0) / 1e6;
        assert!((account.cost.unwrap() - expected).abs() < 1e-12, "{account:#?}");
        cost += account.cost.unwrap();
        calls += account.calls.iter().filter(|call| !call.reused).count();
    }
    assert_eq!(desk.model.tally().requests, u64::try_from(calls).unwrap());
    for step in MODEL_STEPS {
        let prompt = desk.account(run, step).await.prompt_version;
        assert!(prompt.starts_with(&format!("{step}@")), "{prompt}");
    }
    let row = desk.ticket(run).await;
    assert!((row["result"]["cost"].as_f64().unwrap() - cost).abs() < 1e-6, "{row}");
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_does_not_say_is_unknown_and_not_nothing() {
    let desk = desk(Behaviour::always(Mode::NoUsage), |settings| {
        only(settings, TriageStep::Classify, "fake");
        provider(settings).prices = Some(prices());
    })
    .await;
    let run = desk.triage(&ticket(2)).await;
    let account = desk.account(run, TriageStep::Classify).await;
    assert_eq!((account.tokens, account.cost), (None, None));
    desk.finish().await;
}

/// The ticket's words stand between marks; nothing of it stands where instructions do.
#[tokio::test(flavor = "multi_thread")]
async fn the_ticket_is_sent_as_data_between_marks() {
    let desk = desk(Behaviour::default(), |settings| only(settings, TriageStep::Classify, "fake")).await;
    desk.triage(&json!({ "subject": "Parcel", "body": "Where is order ORD-48213?", "customer_id": "c" }))
        .await;
    let seen = desk.model.requests().remove(0);
    let said = |at: usize| seen.body["messages"][at]["content"].as_str().unwrap();
    let mark = said(1).lines().next().unwrap().trim_start_matches("<ticket-").trim_end_matches('>');
    assert_eq!(mark.len(), 16);
    assert!(said(1).trim().ends_with(&format!("</ticket-{mark}>")) && said(1).contains("ORD-48213"));
    assert!(said(0).contains(mark) && !said(0).contains("ORD-48213"));
    let schema = &seen.body["response_format"]["json_schema"];
    assert_eq!((&schema["strict"], &schema["schema"]["additionalProperties"]), (&json!(true), &json!(false)));
    desk.finish().await;
}

/// What identifies a person stays here, and is there again in what the model made.
#[tokio::test(flavor = "multi_thread")]
async fn personal_data_does_not_leave_and_comes_back_with_the_answer() {
    let desk = desk(Behaviour::default(), |_| {}).await;
    let (email, card) = ("ada.lovelace@example.org", "4111 1111 1111 1111");
    let body = format!("Please write to {email} about order ORD-48213. I paid with card {card}.");
    let run = desk.triage(&json!({ "subject": "Parcel", "body": body, "customer_id": "c" })).await;
    let sent: String = desk.model.requests().iter().map(|seen| seen.body.to_string()).collect();
    assert!(sent.contains("[EMAIL_1]") && sent.contains("ORD-48213"), "{sent}");
    assert!(!sent.contains(email) && !sent.contains(card), "{sent}");
    let kept: Vec<Value> =
        sqlx::query_scalar("SELECT answer FROM model_answers").fetch_all(&desk.engine.pool).await.unwrap();
    assert!(!kept.is_empty() && !json!(kept).to_string().contains(email));
    assert_eq!(desk.account(run, TriageStep::Extract).await.ai_status, AiStatus::Done);
    let asks = desk.output(run, TriageStep::Extract).await["asks"].to_string();
    assert!(asks.contains(email), "{asks}");
    desk.finish().await;
}

/// A model that puts what it invents, and whatever the ticket tells it, into every string of every answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_invents_gets_into_no_result() {
    let desk = desk(Behaviour::always(Mode::Obey), |_| {}).await;
    let run = desk.triage(&ticket(2)).await;
    let extracted = desk.output(run, TriageStep::Extract).await;
    for list in ["order_ids", "invoice_ids", "emails", "urls", "error_codes"] {
        let found = extracted[list].to_string();
        assert!(!found.contains(INVENTED_ID) && !found.contains(INVENTED_LINK), "{list}: {found}");
    }
    let draft = desk.output(run, TriageStep::Draft).await["text"].to_string();
    assert!(!draft.contains(INVENTED_ID) && !draft.contains(INVENTED_LINK), "{draft}");
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_matter_waits_for_a_person_whatever_the_model_says() {
    let desk = desk(Behaviour::default(), |_| {}).await;
    let refund = json!({
        "subject": "I want a refund",
        "body": "You charged me 49.90 EUR twice for invoice INV-2026-0042. Please refund the second charge.",
        "customer_id": "c",
    });
    let run = desk.triage(&refund).await;
    assert_eq!(desk.engine.status(run).await, RunStatus::Live);
    assert_eq!(desk.ticket(run).await["status"], "awaiting_approval");
    let review = desk.output(run, TriageStep::Review).await;
    assert_ne!(review["verdict"], "approve", "{review}");
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_tickets_gets_the_second_variant_and_stats_tell_them_apart() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("classify.b.md"), "Choose a category, in other words.").unwrap();
    let prompts = directory.path().to_owned();
    let desk = desk(Behaviour::default(), move |settings| {
        only(settings, TriageStep::Classify, "fake");
        settings.prompts_dir = Some(prompts);
        settings.steps.get_mut(&TriageStep::Classify).unwrap().variant_percent = 50;
    })
    .await;
    let runs = desk.submit_many(40).await;
    desk.all_triaged().await;
    let stats = ticketflow_tickets::model::usage::stats(&mut *desk.engine.connection().await).await.unwrap();
    let [first, second] = &stats[..] else { panic!("{stats:#?}") };
    assert!(first.prompt.starts_with("classify.b@") && second.prompt.starts_with("classify@"), "{stats:#?}");
    assert_eq!((first.calls + second.calls, first.accepted + second.accepted), (40, 40), "{stats:#?}");
    assert!(first.calls > 5 && second.calls > 5, "{stats:#?}");
    let mut seconds = 0;
    for run in runs {
        let account = desk.account(run, TriageStep::Classify).await;
        seconds += i64::from(account.prompt_version == first.prompt);
    }
    assert_eq!(seconds, first.calls);
    desk.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_given_the_taxonomys_categories_to_choose_from() {
    let desk = desk(Behaviour::default(), |settings| only(settings, TriageStep::Classify, "fake")).await;
    let run = desk.triage(&ticket(2)).await;
    let category = desk.output(run, TriageStep::Classify).await["category"].clone();
    let request = desk.model.requests().remove(0).body;
    let properties = &request["response_format"]["json_schema"]["schema"]["properties"];
    let allowed = properties["category"]["enum"].as_array().unwrap();
    assert!(allowed.contains(&category) && allowed.contains(&Value::from("billing")), "{allowed:?}");
    desk.finish().await;
}
