//! The step called by hand, without a run and without a database.

use super::*;
use crate::{
    action::Actions,
    provider::{
        model::ModelSettings,
        offline::{ApprovalPolicy, Offline},
    },
    settings::TriagePolicy,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use ticketflow_engine::RunId;
use ticketflow_tickets::{taxonomy::Taxonomy, triage::Action};

fn read<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn found(issue: &str) -> <Finalize as Step>::Input {
    let ticket = json!({ "subject": "s", "body": "b", "customer_id": "c-1" });
    let classified = json!({
        "category": "technical", "confidence": 0.9, "priority": "medium", "sentiment_score": 5, "language": "en",
        "reasons": [], "needs_review": false,
    });
    let extracted = json!({
        "order_id": null, "order_ids": [], "invoice_ids": [], "product": null,
        "amounts": [{ "value": "49.90", "currency": "EUR", "text": "49.90 EUR" }], "dates": [], "emails": [],
        "phones": [], "error_codes": [], "versions": [], "urls": [], "issue_type": issue, "asks": [],
    });
    let drafted = json!({
        "text": "Try this.", "language": "en", "cited_articles": [], "action": "reply", "template": "en/reply.md",
        "revision": 0,
    });
    let reviewed = json!({ "verdict": "approve", "score": 0.9, "notes": [], "policy_violations": [] });
    (read(ticket), read(classified), read(extracted), read(drafted), read(reviewed), None)
}

fn sent_back(instructions: &[&str]) -> Conclusion {
    let instructions = instructions.iter().map(|text| (*text).to_owned()).collect();
    Conclusion::SentBack(SentBack { instructions, sent_back_by: "ada".into(), late: false })
}

fn step(policy: TriagePolicy) -> Finalize {
    let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@localhost/nothing").unwrap();
    let offline = Offline::new(Taxonomy::built_in().unwrap()).unwrap();
    Finalize(Triage::new(offline, policy, &ModelSettings::default(), pool).unwrap())
}

fn context() -> StepContext {
    StepContext::detached(RunId::from_uuid(uuid::Uuid::nil()), Finalize::NAME)
}

async fn asked(step: &Finalize, input: <Finalize as Step>::Input) -> (ApprovalRequest, Option<Duration>) {
    let outcome = step.run(&context(), input).await.unwrap();
    let StepOutcome::Wait { signal, timeout, about } = outcome else { panic!("{outcome:?}") };
    assert_eq!(signal, "approval");
    (read(about), timeout)
}

#[tokio::test]
async fn what_is_harmless_is_decided_by_the_policy() {
    let outcome = step(TriagePolicy::default()).run(&context(), found("slow")).await.unwrap();
    let StepOutcome::Next(Conclusion::Resolved(resolution)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((resolution.action, resolution.routing.team.as_str()), (Action::Reply, "technical"));
    assert_eq!(resolution.final_response.as_deref(), Some("Try this."));
}

#[tokio::test]
async fn what_touches_money_waits_for_a_person_until_the_deadline() {
    let (request, timeout) = asked(&step(TriagePolicy::default()), found("refund_request")).await;
    assert_eq!(timeout, Some(Duration::from_hours(24)));
    assert_eq!((request.draft.as_str(), request.reasons.len()), ("Try this.", 1));
    assert_eq!((request.redrafts_left, request.actions.len()), (MOST_REDRAFTS, 0));
}

#[tokio::test]
async fn a_draft_that_a_person_asked_for_is_shown_to_a_person() {
    let mut input = found("slow");
    input.5 = Some(sent_back(&["shorter", "with a link"]));
    let (request, _) = asked(&step(TriagePolicy::default()), input).await;
    assert_eq!(
        (request.redrafts_left, request.reasons.as_slice()),
        (1, &["a person asked for this draft".to_owned()][..])
    );
}

const ACTIONS: &str = r#"
    [[action]]
    name = "issue_refund"
    description = "Pays money back"
    issues = ["refund_request"]
    parameters = { amount = "/amounts/0/value", customer = "/customer_id", order = "/order_id" }
    required = ["amount"]
    url = "https://pay.example/refunds"
    secret_env = "REFUND_SECRET"

    [[action]]
    name = "cancel_order"
    description = "Cancels an order"
    categories = ["technical"]
    issues = ["refund_request", "cancel_order"]
    parameters = { order = "/order_id" }
    required = ["order"]
    url = "https://shop.example/cancel"
    secret_env = "SHOP_SECRET"
"#;

#[tokio::test]
async fn actions_are_proposed_with_what_is_known_and_what_they_lack_is_said() {
    let actions = Actions::parse(ACTIONS, |_| Ok(Some("s".into()))).unwrap();
    let policy = TriagePolicy { actions, ..TriagePolicy::default() };
    let (ticket, classified, extracted, drafted, reviewed, _) = found("refund_request");
    let case = Case {
        classification: &classified.result,
        extraction: &extracted.result,
        draft: &drafted.result,
        review: &reviewed.result,
    };
    let proposals = step(policy).proposals(&ticket, case);
    let [action] = proposals.actions.as_slice() else { panic!("{proposals:?}") };
    assert_eq!(action.name, "issue_refund");
    assert_eq!(Value::Object(action.parameters.clone()), json!({ "amount": "49.90", "customer": "c-1" }));
    assert_eq!(proposals.lacking, ["cancel_order is not proposed: order is not known"]);
}

#[test]
fn a_key_tells_parameters_apart_and_not_their_order() {
    let key = |parameters: &str| {
        let action = format!(r#"{{"name":"issue_refund","description":"d","parameters":{parameters}}}"#);
        act::key(RunId::from_uuid(uuid::Uuid::nil()), &serde_json::from_str(&action).unwrap())
    };
    let refund = key(r#"{"amount":"49.90","order":{"id":"a","at":1}}"#);
    assert_eq!(refund, key(r#"{"order":{"at":1,"id":"a"},"amount":"49.90"}"#));
    assert_ne!(refund, key(r#"{"amount":"49.91","order":{"id":"a","at":1}}"#));
}

#[tokio::test]
async fn where_nobody_is_asked_nothing_is_done() {
    let actions = Actions::parse(ACTIONS, |_| Ok(Some("s".into()))).unwrap();
    let approval = ApprovalPolicy { when: ApprovalRule::Never, ..ApprovalPolicy::default() };
    let mut policy = TriagePolicy { actions, ..TriagePolicy::default() };
    policy.review.approval = approval;
    let outcome = step(policy).run(&context(), found("refund_request")).await.unwrap();
    let StepOutcome::Next(Conclusion::Resolved(resolution)) = outcome else { panic!("{outcome:?}") };
    assert!(resolution.actions.is_empty() && resolution.final_response.is_some());
}

#[test]
fn what_a_person_left_out_is_declined() {
    let action = |name: &str| read(json!({ "name": name, "description": "d", "parameters": {} }));
    let shown = || vec![action("issue_refund"), action("cancel_order")];
    assert_eq!(act::split(shown(), None).0.len(), 2);
    let (left, declined) = act::split(shown(), Some(&["cancel_order".to_owned()]));
    assert_eq!((left[0].name.as_str(), declined[0].name.as_str()), ("cancel_order", "issue_refund"));
    assert_eq!(act::split(shown(), Some(&[])).1.len(), 2);
}
