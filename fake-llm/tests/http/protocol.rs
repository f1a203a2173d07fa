//! The protocol beside the answers: what is refused, what is counted, what is told from outside.

use crate::client::{TICKET, Talk, by_schema, request, schema};
use serde_json::{Value, json};
use ticketflow_fake_llm::{Behaviour, Mode};

#[tokio::test]
async fn requests_that_a_real_server_refuses_are_refused() {
    let talk = Talk::start(Behaviour::default()).await;
    let mut open = schema();
    open["additionalProperties"] = json!(true);
    let mut streamed = by_schema(TICKET, &schema());
    streamed["stream"] = json!(true);
    let mut wordless = request("Answer.", &json!({ "type": "json_object" }));
    wordless["messages"][0]["content"] = json!("Answer well.");
    for (body, says) in [
        (by_schema(TICKET, &open), "additionalProperties"),
        (wordless, "the word 'json'"),
        (streamed, "stream"),
        (json!({ "model": "test" }), "messages"),
    ] {
        let response = talk.ask(&body).await;
        assert_eq!(response.status(), 400);
        let error: Value = response.json().await.unwrap();
        assert!(error["error"]["message"].as_str().unwrap().contains(says), "{error}");
    }
    assert_eq!(talk.model.tally().answered, 0);
}

#[tokio::test]
async fn requests_are_kept_and_counted_by_their_body() {
    let talk = Talk::start(Behaviour::default()).await;
    talk.model.next([Mode::Error]);
    let (one, other) = (by_schema(TICKET, &schema()), by_schema("Hello there.", &schema()));
    assert_eq!(talk.ask(&one).await.status(), 500);
    for body in [&one, &one, &other] {
        talk.answer(body).await;
    }
    let tally = talk.model.tally();
    assert_eq!((tally.requests, tally.answered, tally.answered_again), (4, 3, 1));
    assert_eq!((tally.modes[&Mode::Fine], tally.modes[&Mode::Error], tally.most_at_once), (3, 1, 1));
    let seen = talk.model.requests();
    assert_eq!(
        seen.iter().map(|seen| (seen.number, seen.before)).collect::<Vec<_>>(),
        [(1, 0), (2, 1), (3, 2), (4, 0)]
    );
    assert_eq!(seen[0].body, one);
    assert_eq!(seen[0].authorization.as_deref(), Some("Bearer sk-test"));
}

#[tokio::test]
async fn a_running_server_is_told_and_asked_over_http() {
    let talk = Talk::start(Behaviour::default()).await;
    let put = |body: Value| talk.client().put(talk.beside("/fake/behaviour")).json(&body).send();
    assert_eq!(put(json!({ "mix": { "503": 100 } })).await.unwrap().status(), 204);
    assert_eq!(talk.ask(&by_schema(TICKET, &schema())).await.status(), 503);
    let refused = put(json!({ "mix": { "503": 100, "500": 1 } })).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("make it 100 at most"));
    let get = async |path: &str| -> Value {
        talk.client().get(talk.beside(path)).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(get("/fake/behaviour").await["mix"]["503"], 100.0);
    assert_eq!(get("/fake/tally").await["modes"]["503"], 1);
    let requests = get("/fake/requests").await;
    assert_eq!(requests[0]["body"]["model"], "test");
    assert!(!requests.to_string().contains("sk-test"), "keys are not shown");
    let models = get("/v1/models").await;
    assert!(models["data"].as_array().unwrap().iter().any(|model| model["id"] == "fake-hang"));
}

#[tokio::test]
async fn embeddings_of_texts_that_share_words_are_near() {
    let talk = Talk::start(Behaviour::default()).await;
    let texts = json!(["refund my order", "please refund the order", "dark mode"]);
    let body = json!({ "model": "test", "input": texts, "dimensions": 64 });
    let answer: Value = talk.send("/embeddings", &body).await.unwrap().json().await.unwrap();
    let vector = |at: usize| -> Vec<f64> {
        let numbers = answer["data"][at]["embedding"].as_array().unwrap();
        numbers.iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let near = |a: usize, b: usize| vector(a).iter().zip(vector(b)).map(|(x, y)| x * y).sum::<f64>();
    assert_eq!(vector(0).len(), 64);
    assert!((near(0, 0) - 1.0).abs() < 1e-5 && near(0, 1) > near(0, 2) + 0.2);
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 5);
    let encoded = json!({ "model": "test", "input": "one text", "encoding_format": "base64" });
    let answer: Value = talk.send("/embeddings", &encoded).await.unwrap().json().await.unwrap();
    // 256 numbers of four bytes, four characters for three of them.
    assert_eq!(answer["data"][0]["embedding"].as_str().unwrap().len(), 1368);
    let none = json!({ "model": "test", "input": "one text", "dimensions": 0 });
    assert_eq!(talk.send("/embeddings", &none).await.unwrap().status(), 400);
}
