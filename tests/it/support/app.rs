//! The program as its users have it: the real binary, real processes, real HTTP.

use super::{PATIENCE, database::Database, pgbouncer::pooler, until};
use reqwest::{Client, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};
use ticketflow_engine::pooler::Pooler;

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticketflow"));
    command.env_remove("DATABASE_URL").env("TICKETFLOW_LOG", "error").stdin(Stdio::null());
    // A developer's own key is not for tests.
    for variable in ["OPENAI_API_KEY", "OPENAI_API_KEY_FILE", "OPENAI_BASE_URL", "OPENAI_MODEL"] {
        command.env_remove(variable);
    }
    command
}

/// Tells it where the database is, and what stands before it.
pub(crate) fn reach(command: &mut Command, database: &Database) {
    command.env("DATABASE_URL", database.url());
    if pooler() == Pooler::Transaction {
        command.env("TICKETFLOW_POOLER", "transaction").env("TICKETFLOW_DIRECT_URL", database.direct_url());
    }
}

/// Runs a command to its end.
pub(crate) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A running process of the program; killed when dropped.
pub(crate) struct Process {
    child: Child,
    stderr: Option<BufReader<std::process::ChildStderr>>,
}

impl Process {
    /// Starts a command.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = child.stderr.take().map(BufReader::new);
        Self { child, stderr }
    }

    /// Starts a command whose log goes to a file.
    pub(crate) fn logging(mut command: Command, log: std::fs::File) -> Self {
        Self { child: command.stderr(log).stdout(Stdio::null()).spawn().unwrap(), stderr: None }
    }

    /// Waits until it says where it listens; what it says later is read away.
    pub(crate) async fn address(&mut self) -> String {
        let mut stderr = self.stderr.take().unwrap();
        let waited = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            let mut line = String::new();
            while stderr.read_line(&mut line).unwrap() > 0 {
                if let Some((_, url)) = line.split_once("http://") {
                    let url = format!("http://{}", url.trim());
                    std::thread::spawn(move || drop(std::io::copy(&mut stderr, &mut std::io::sink())));
                    return Ok(url);
                }
                said.push_str(&line);
                line.clear();
            }
            Err(said)
        });
        let found =
            tokio::time::timeout(PATIENCE, waited).await.expect("it never said where it listens").unwrap();
        found.unwrap_or_else(|said| panic!("the program ended: {said}"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Dies as under `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits for its end.
    pub(crate) async fn stop(mut self) -> i32 {
        self.signal(Signal::TERM);
        let ended = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        let status = tokio::time::timeout(PATIENCE, ended).await.expect("it does not stop").unwrap();
        status.code().unwrap_or(-1)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An API process on a database of its own, and a client of it.
pub(crate) struct TestApp {
    database: Database,
    api: Process,
    url: String,
    http: Client,
}

impl TestApp {
    /// Migrates a fresh database and starts the API on it.
    pub(crate) async fn start() -> Self {
        Self::start_on(Database::empty().await).await
    }

    /// The same on an empty database of some server.
    pub(crate) async fn start_on(database: Database) -> Self {
        let mut migrate = program();
        migrate.arg("migrate");
        reach(&mut migrate, &database);
        let done = run(migrate).await;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let (api, url) = Self::api(&database).await;
        Self { database, api, url, http: Client::builder().no_proxy().build().unwrap() }
    }

    async fn api(database: &Database) -> (Process, String) {
        let mut command = program();
        command.args(["api", "--listen", "127.0.0.1:0"]);
        reach(&mut command, database);
        let mut api = Process::start(command);
        let url = api.address().await;
        (api, url)
    }

    /// The API dies as under `kill -9`.
    pub(crate) fn kill_api(&self) {
        self.api.signal(Signal::KILL);
    }

    /// A new API process takes the place of a dead one, at an address of its own.
    pub(crate) async fn start_api(&mut self) {
        (self.api, self.url) = Self::api(&self.database).await;
    }

    /// A new API process takes the place of this one, which goes on until it is stopped.
    pub(crate) async fn replace_api(&mut self) -> Process {
        let (api, url) = Self::api(&self.database).await;
        self.url = url;
        std::mem::replace(&mut self.api, api)
    }

    /// The database is on another server by now.
    pub(crate) fn moved_to(&mut self, server: String) {
        self.database.moved_to(server);
    }

    pub(crate) fn api_runs(&mut self) -> bool {
        self.api.runs()
    }

    /// Starts a worker process.
    pub(crate) fn worker(&self, flags: &[&str]) -> Process {
        self.worker_told(flags, &[])
    }

    /// Starts a worker process with some variables set.
    pub(crate) fn worker_told(&self, flags: &[&str], variables: &[(&str, &str)]) -> Process {
        let mut command = program();
        command.arg("worker").args(flags).envs(variables.iter().copied());
        reach(&mut command, &self.database);
        Process::start(command)
    }

    /// A command of the program that talks to this API and database.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).env("TICKETFLOW_URL", &self.url);
        reach(&mut command, &self.database);
        command
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) async fn pool(&self) -> sqlx::PgPool {
        self.database.direct_pool().await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        body(self.http.get(self.url(path)).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> (StatusCode, Value) {
        body(self.http.post(self.url(path)).json(json).send().await.unwrap()).await
    }

    pub(crate) const fn http(&self) -> &Client {
        &self.http
    }

    /// Submits `count` tickets that differ; returns their ids.
    pub(crate) async fn submit(&self, count: usize) -> Vec<String> {
        let tickets: Vec<Value> = (0..count).map(ticket).collect();
        let mut ids = Vec::new();
        for batch in tickets.chunks(500) {
            let (status, answer) = self.post("/tickets/batch", &json!(batch)).await;
            assert!(status.is_success(), "{answer}");
            let results = answer["results"].as_array().unwrap();
            ids.extend(results.iter().map(|result| result["ticket_id"].as_str().unwrap().to_owned()));
        }
        ids
    }

    /// How many tickets there are.
    pub(crate) async fn tickets(&self) -> usize {
        let tickets = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM tickets");
        usize::try_from(tickets.fetch_one(&self.pool().await).await.unwrap()).unwrap()
    }

    /// Waits until no ticket is under way any more.
    pub(crate) async fn settle(&self) {
        let pool = self.pool().await;
        until("every ticket settles", || async {
            let query = "SELECT NOT EXISTS (SELECT FROM live_runs WHERE state <> 'waiting')";
            sqlx::query_scalar::<_, bool>(query).fetch_one(&pool).await.unwrap()
        })
        .await;
    }

    /// Ends every test: the audit finds nothing.
    pub(crate) async fn finish(self) {
        let done = run(self.command(&["audit", "verify"])).await;
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(self.api.stop().await, 0);
        self.database.drop().await;
    }
}

async fn body(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The `number`th of many tickets that differ.
pub(crate) fn ticket(number: usize) -> Value {
    let texts = [
        (
            "Charged twice",
            "I was charged 49.90 EUR twice for invoice INV-2026-0042. Please check the second charge.",
        ),
        (
            "App crashes",
            "The app v4.12.1 crashes with error E1042 whenever I open my calendar. What can I do?",
        ),
        ("Where is my parcel?", "My order ORD-48213 was due last week. Can you tell me where it is?"),
        ("Cannot sign in", "I forgot my password and the reset link never arrives. Please help me sign in."),
        ("Dark mode", "It would be great if the app had a dark mode for working at night."),
    ];
    let (subject, text) = texts[number % texts.len()];
    json!({
        "subject": format!("{subject} ({number})"),
        "body": format!("{text} My reference is {number}."),
        "customer_id": format!("customer-{}", number % 17),
    })
}

/// A directory for an embedded database, which an unprivileged server may enter.
pub(crate) fn data_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    directory
}

/// Long enough for a lease of a second to end and be taken over.
pub(crate) const SHORT_LEASE: &str = "1s";
/// Long enough to be killed in the middle of a step.
pub(crate) const VISIBLE_PACE: &str = "25ms";
