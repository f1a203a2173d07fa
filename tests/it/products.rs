//! What a site sells, as its operators list it: found by the rules, told to a model, and said where the ticket names it.

use crate::support::{TestApp, app::run, until};
use serde_json::{Value, json};
use ticketflow_fake_llm::{Behaviour, FakeModel};

const PRODUCTS: &str = include_str!("../../docs/products.example.toml");

/// A ticket that calls a product by another name, triaged by a worker of that configuration.
async fn triaged(app: &TestApp, config: &std::path::Path, customer: &str) -> Value {
    let worker = app.worker(&["--config", config.to_str().unwrap()]);
    let body = "Hello, the SCHREIBTISCHLAMPE halo from order 48213 flickers. What can I do?";
    let ticket = json!({ "subject": "A question", "body": body, "customer_id": customer });
    let id = app.post("/tickets", &ticket).await.1["ticket_id"].as_str().unwrap().to_owned();
    let path = format!("/tickets/{id}");
    until("the ticket is triaged", || async {
        let status = app.get(&path).await.1["status"].clone();
        status == "completed" || status == "awaiting_approval"
    })
    .await;
    assert_eq!(worker.stop().await, 0);
    app.get(&path).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_product_is_found_by_any_of_its_names_with_and_without_a_model() {
    let (app, directory) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let model = FakeModel::start(Behaviour::default()).await.unwrap();
    std::fs::write(directory.path().join("products.toml"), PRODUCTS).unwrap();
    let config = directory.path().join("ticketflow.toml");
    let offline = "[offline]\nproducts = 'products.toml'\n";
    let asking = format!(
        "{offline}[providers.fake]\nbase_url = '{}'\n[steps.extract]\nprovider = 'fake'\nmodel = 'fake'\n",
        model.url()
    );
    for (text, customer, requests) in [(offline, "c1", 0), (&asking, "c2", 1)] {
        std::fs::write(&config, text).unwrap();
        let entities = triaged(&app, &config, customer).await["result"]["entities"].clone();
        assert_eq!(entities["product"], "SCHREIBTISCHLAMPE halo", "{entities}");
        let mention = json!({ "part": "body", "start": 11, "end": 33, "kind": "product" });
        assert!(entities["mentions"].as_array().unwrap().contains(&mention), "{entities}");
        assert_eq!(model.tally().requests, requests);
    }
    let told = model.requests()[0].body["messages"][0]["content"].to_string();
    assert!(told.contains("Known products: Drift Kettle; Halo desk lamp; Team plan."), "{told}");

    std::fs::write(directory.path().join("products.toml"), PRODUCTS.repeat(2)).unwrap();
    let refused = run(app.command(&["--config", config.to_str().unwrap(), "worker"])).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("offline.products") && said.contains("rename"),
        "{said}"
    );
    app.finish().await;
    model.stop().await;
}
