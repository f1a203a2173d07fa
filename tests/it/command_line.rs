//! The command line as scripts use it: output formats, exit codes, import.

use crate::support::{
    TestApp,
    app::{data_dir, program, run, ticket},
    database::Database,
};
use serde_json::{Value, json};
use std::process::Output;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_as_documented() {
    let app = TestApp::start().await;
    let unknown = "019e0000-0000-7000-8000-000000000000";
    let missing = run(app.command(&["tickets", "get", unknown])).await;
    assert_eq!(code(&missing), 3, "{}", text(&missing.stderr));
    let usage = run(app.command(&["tickets", "frobnicate"])).await;
    assert_eq!(code(&usage), 2);
    let wrong: [&[&str]; 7] = [
        &["tickets", "list", "--status", "bogus"],
        &["tickets", "list", "--url", "nonsense"],
        &["tickets", "list", "--log", "((("],
        &["tickets", "list", "--config", "/nowhere/ticketflow.toml"],
        &["runs", "resume", unknown, "--reason", "r", "--edit", "extract"],
        &["workflow", "graph", "-o", "json"],
        &["audit", "verify", "-o", "csv"],
    ];
    for arguments in wrong {
        let refused = run(app.command(arguments)).await;
        assert_eq!(code(&refused), 2, "{arguments:?}: {}", text(&refused.stderr));
    }
    let mut unreachable = app.command(&["tickets", "list"]);
    unreachable.env("TICKETFLOW_URL", "http://127.0.0.1:9");
    let unreachable = run(unreachable).await;
    assert_eq!(code(&unreachable), 5, "{}", text(&unreachable.stderr));
    assert!(text(&unreachable.stderr).contains("ticketflow up"));
    let id = app.submit(1).await.remove(0);
    let cancel = ["runs", "cancel", &id, "--reason", "not needed"];
    let cancelled = run(app.command(&cancel)).await;
    assert_eq!(code(&cancelled), 0);
    let said = text(&cancelled.stdout);
    assert!(
        said.lines().count() == 1 && said.starts_with(&format!("cancelled {id} at step classify")),
        "{said}"
    );
    let twice = run(app.command(&cancel)).await;
    assert_eq!(code(&twice), 4, "{}", text(&twice.stderr));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_answered_with_another_and_how_clients_find_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut up = program();
    up.args(["up", "--listen", &taken.local_addr().unwrap().to_string()]);
    let refused = run(up).await;
    assert_eq!(code(&refused), 1);
    let said = text(&refused.stderr);
    assert!(
        said.contains("--listen 127.0.0.1:8080") && said.contains("--url http://127.0.0.1:8080"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_uses_a_database_that_exists_and_creates_none() {
    let directory = data_dir();
    let ticketflow = |arguments: &[&str]| {
        let mut command = program();
        command.args(arguments).arg("--data-dir").arg(directory.path());
        command
    };
    let none = run(ticketflow(&["audit", "verify"])).await;
    let said = text(&none.stderr);
    assert_eq!(code(&none), 5, "{said}");
    assert!(said.contains("no ticketflow database in") && said.contains("--data-dir"), "{said}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it made something");
    assert_eq!(code(&run(ticketflow(&["migrate"])).await), 0);
    let at_rest = run(ticketflow(&["audit", "verify"])).await;
    assert_eq!(code(&at_rest), 0, "{}", text(&at_rest.stderr));
    let database = Database::empty().await;
    let mut bare = program();
    bare.args(["audit", "verify", "--database-url", &database.direct_url()]);
    let bare = run(bare).await;
    let said = text(&bare.stderr);
    assert_eq!(code(&bare), 1, "{said}");
    assert!(said.contains("the database lacks") && said.contains("`ticketflow migrate`"), "{said}");
    database.drop().await;
    let mut nobody = program();
    nobody.args(["audit", "verify", "--database-url", "postgres://nobody@127.0.0.1:9/none"]);
    assert_eq!(code(&run(nobody).await), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn up_ends_with_the_error_where_its_worker_cannot_register() {
    let app = TestApp::start().await;
    let pool = app.pool().await;
    let refuse = |check: &'static str| sqlx::query(check).execute(&pool);
    refuse("ALTER TABLE workers ADD CONSTRAINT closed CHECK (false) NOT VALID").await.unwrap();
    let up = run(app.command(&["up", "--listen", "127.0.0.1:0"])).await;
    assert_eq!(code(&up), 1, "{}", text(&up.stderr));
    assert!(text(&up.stderr).contains("closed"), "{}", text(&up.stderr));
    refuse("ALTER TABLE workers DROP CONSTRAINT closed").await.unwrap();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_submitted_waited_for_and_shown() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let submit = [
        "tickets",
        "submit",
        "--subject",
        "Charged twice",
        "--body",
        "You charged me 20 EUR twice.",
        "--customer-id",
        "c1",
        "-o",
        "ids",
    ];
    let id = text(&run(app.command(&submit)).await.stdout).trim().to_owned();
    let waited = run(app.command(&["tickets", "wait", &id, "-o", "json"])).await;
    assert_eq!(code(&waited), 0, "{}", text(&waited.stderr));
    let tickets: Value = serde_json::from_slice(&waited.stdout).unwrap();
    assert_eq!(tickets[0]["result"]["category"], "billing", "{tickets}");
    let events = run(app.command(&["tickets", "events", &id, "-o", "jsonl"])).await;
    let lines = text(&events.stdout);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["event_type"], &first["seq"]), (&json!("created"), &json!(0)));
    let table = text(&run(app.command(&["tickets", "list"])).await.stdout);
    assert!(table.contains("CATEGORY") && table.contains(&id), "{table}");
    let csv = text(&run(app.command(&["tickets", "list", "-o", "csv"])).await.stdout);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let explained = text(&run(app.command(&["runs", "explain", &id])).await.stdout);
    assert!(explained.contains("classify"), "{explained}");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn import_is_idempotent_and_keeps_what_it_rejects() {
    let app = TestApp::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tickets.csv");
    let rejected = directory.path().join("rejected.jsonl");
    std::fs::write(
        &file,
        "title,message,from,language\nHello,Where is my order?,c1,en\n,No subject here,c2,en\nEmpty,,c3,en\n",
    )
    .unwrap();
    let import = |extra: &[&str]| {
        let mut command = app.command(&["tickets", "import", "-o", "json"]);
        command.arg(&file).arg("--rejected").arg(&rejected).args(extra);
        command
    };
    let counted = |output: &Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let dry = counted(&run(import(&["--dry-run"])).await);
    assert_eq!(dry, json!({ "would_create": 2, "rejected": 1, "dry_run": true }));
    let unmapped = run(import(&["--map", "body=mesage"])).await;
    assert_eq!(code(&unmapped), 2);
    assert!(text(&unmapped.stderr).contains("did you mean message?"), "{}", text(&unmapped.stderr));
    let first = counted(&run(import(&[])).await);
    assert_eq!((&first["created"], &first["rejected"]), (&json!(2), &json!(1)));
    let again = counted(&run(import(&[])).await);
    assert_eq!((&again["created"], &again["replayed"]), (&json!(0), &json!(2)));
    let reject: Value = serde_json::from_str(std::fs::read_to_string(&rejected).unwrap().trim()).unwrap();
    assert_eq!(reject["line"], 4);
    assert!(reject["reason"].as_str().unwrap().contains("/body"), "{reject}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing_and_an_import_writes_beside_its_file() {
    let app = TestApp::start().await;
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = directory.path().join("tickets.csv");
    std::fs::write(&file, "subject,body,customer_id\nHello,Where is my order?,c1\nEmpty,,c3\n").unwrap();
    let files = |of: &tempfile::TempDir| std::fs::read_dir(of.path()).unwrap().count();
    let import = |extra: &[&str]| {
        let mut command = app.command(&["tickets", "import"]);
        command.arg(&file).args(extra).current_dir(elsewhere.path());
        command
    };
    let dry = run(import(&["--dry-run"])).await;
    let said = text(&dry.stderr);
    assert_eq!(code(&dry), 0, "{said}");
    assert!(said.contains("would reject 1 record") && said.contains("line 3: "), "{said}");
    assert_eq!((files(&directory), files(&elsewhere)), (1, 0), "the dry run wrote something");
    let true_import = run(import(&[])).await;
    let said = text(&true_import.stderr);
    let beside = directory.path().join("tickets.csv.rejected.jsonl");
    assert!(said.contains(&*beside.to_string_lossy()) && beside.exists(), "{said}");
    assert_eq!(files(&elsewhere), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_json_where_json_is_asked_for() {
    let app = TestApp::start().await;
    app.submit(1).await;
    let audit = run(app.command(&["audit", "verify", "-o", "json"])).await;
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!(report["runs"], 1, "{report}");
    let said = text(&run(app.command(&["audit", "verify"])).await.stdout);
    assert!(said.contains("1 run and 1 event checked"), "{said}");
    let id = app.submit(1).await.remove(0);
    let pause = ["runs", "pause", &id, "--reason", "later", "-o", "json"];
    let paused: Value = serde_json::from_slice(&run(app.command(&pause)).await.stdout).unwrap();
    assert_eq!((&paused["status"], &paused["run"]["step"]), (&json!("paused"), &json!("classify")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_is_drawn_in_every_notation() {
    for (format, sign) in
        [("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg"), ("ascii", "classify")]
    {
        let mut command = program();
        command.args(["workflow", "graph", "ticket_triage", "--format", format]);
        let drawn = text(&run(command).await.stdout);
        assert!(drawn.contains(sign) && drawn.contains("finalize"), "{drawn}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_what_to_mend() {
    let app = TestApp::start().await;
    let lonely = run(app.command(&["doctor"])).await;
    assert_eq!(code(&lonely), 1);
    assert!(text(&lonely.stdout).contains("fix: ticketflow worker"), "{}", text(&lonely.stdout));
    let worker = app.worker(&[]);
    let pool = app.pool().await;
    crate::support::until("the worker registers", || async {
        sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM workers)").fetch_one(&pool).await.unwrap()
    })
    .await;
    sqlx::query("SELECT 1").execute(&pool).await.unwrap();
    let well = run(app.command(&["doctor"])).await;
    let said = text(&well.stdout);
    // The tests' own server may trade durability for speed; everything else is well.
    let bad: Vec<&str> =
        said.lines().filter(|line| line.starts_with("BAD") && !line.contains("is off")).collect();
    assert!(bad.is_empty(), "{said}");
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}

#[test]
fn a_ticket_of_the_tests_is_a_valid_one() {
    assert!(ticketflow_tickets::ticket::NewTicket::from_json(&ticket(0)).is_ok());
}
