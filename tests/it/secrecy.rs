//! What customers write stands in the database and in answers to those who ask for it, and nowhere else: not in a log line
//! of any level, not in a metric.

use crate::support::{
    PATIENCE,
    app::{Process, program, reach, run},
    database::Database,
    until,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{fs::File, path::Path};

/// Pieces of what a customer or an agent writes, each of a kind that somebody looks for in logs.
const CANARIES: [&str; 8] = [
    "canary.address@example.org",
    "CanaryPassw0rd",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "+44 7700 900123",
    "ORD-90909090",
    "zebra umbrella",
    "canary.customer@example.net",
];
/// A piece of what an agent writes.
const EDITED: &str = "velvet harpsichord";

/// A ticket that holds every canary, and one that a person has to decide on.
fn ticket() -> Value {
    let body = format!(
        "I was charged twice, please refund me. Write to {}, password: {}, card {}, account {}, phone {}, order {}. {}.",
        CANARIES[0], CANARIES[1], CANARIES[2], CANARIES[3], CANARIES[4], CANARIES[5], CANARIES[6]
    );
    let subject = format!("Refund for {}", CANARIES[6]);
    json!({ "subject": subject, "body": body, "customer_id": CANARIES[7], "metadata": { "note": CANARIES[6] } })
}

/// Everything that runs, in one process that logs all it can.
struct Talkative {
    process: Process,
    http: Client,
    url: String,
}

impl Talkative {
    async fn start(database: &Database, log: &Path) -> Self {
        let mut command = program();
        command.args(["up", "--listen", "127.0.0.1:0", "--log", "trace"]);
        reach(&mut command, database);
        let process = Process::logging(command, File::create(log).unwrap());
        let address = || {
            let said = std::fs::read_to_string(log).unwrap();
            let line = said.lines().find(|line| line.starts_with("ticketflow is up: "))?;
            Some(line.trim_start_matches("ticketflow is up: ").trim().to_owned())
        };
        until("it says where it listens", || async { address().is_some() }).await;
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { process, http, url: address().unwrap() }
    }

    async fn post(&self, path: &str, body: String) -> (StatusCode, Value) {
        let request =
            self.http.post(format!("{}{path}", self.url)).header("content-type", "application/json");
        let response = request.body(body).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().text().await.unwrap()
    }
}

/// Takes a ticket from its submission to an edited reply, and makes the mistakes that clients make.
async fn work(desk: &Talkative) {
    let (status, made) = desk.post("/tickets", ticket().to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let path = format!("/tickets/{}", made["ticket_id"].as_str().unwrap());
    until("a person is asked", || async { desk.get(&path).await.contains("awaiting_approval") }).await;
    assert!(desk.get(&path).await.contains(CANARIES[6]), "those who ask for the ticket read it");
    let decision =
        json!({ "approved": true, "decided_by": "agent", "edited_response": format!("Dear {EDITED}") });
    let decide = path.replace("tickets", "approvals") + "/decide";
    let (status, decided) = desk.post(&decide, decision.to_string()).await;
    assert!(status.is_success(), "{decided}");
    until("it is completed", || async { desk.get(&path).await.contains("\"completed\"") }).await;
    for wrong in [
        format!("{{ \"subject\": \"{}\", ", CANARIES[6]),
        json!({ "subject": CANARIES[6].repeat(400), "body": CANARIES[0], "customer_id": CANARIES[7] }).to_string(),
        json!({ "subject": CANARIES[6], "body": CANARIES[0], "customer_id": CANARIES[7], "channel": CANARIES[1] })
            .to_string(),
    ] {
        assert!(desk.post("/tickets", wrong).await.0.is_client_error());
    }
    desk.get(&format!("/tickets?customer_id={}", CANARIES[7])).await;
    desk.get(&format!("/articles/search?q={}", CANARIES[1])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_customers_write_is_in_no_log_line_and_no_metric() {
    let database = Database::empty().await;
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let desk = Talkative::start(&database, &log).await;
    work(&desk).await;
    let metrics = desk.get("/metrics").await;
    assert!(metrics.contains("tickets_created_total"), "{metrics}");
    assert_eq!(desk.process.stop().await, 0);
    let said = std::fs::read_to_string(&log).unwrap();
    for logged in ["DEBUG sqlx::query", "request answered"] {
        assert!(said.contains(logged), "it logs all it can: {said}");
    }
    for canary in CANARIES.into_iter().chain([EDITED]) {
        let lines: Vec<_> = said.lines().filter(|line| line.contains(canary)).collect();
        assert!(lines.is_empty(), "{canary} in {lines:#?}");
        assert!(!metrics.contains(canary), "{canary} in a metric");
    }
    let mut audit = program();
    audit.args(["audit", "verify"]);
    reach(&mut audit, &database);
    assert!(run(audit).await.status.success());
    database.drop().await;
}
