//! What guarded actions call: a real HTTP server that does what it is asked once for each key, and answers as it is told.

use super::until;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::stream::{self, StreamExt as _};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The secret that calls are signed with.
pub(crate) const SECRET: &str = "a secret of the test";

/// How it answers one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    /// It does what it is asked, and says so.
    Take,
    /// With this status, and nothing is done.
    Refuse(StatusCode),
    /// It does what it is asked, and never answers.
    Hang,
    /// It does what it is asked, and breaks off in the middle of its answer.
    BreakOff,
    /// It does what it is asked, and never ends its answer.
    Stall,
}

/// A call as it came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
    pub(crate) is_signed: bool,
    pub(crate) approved_by: String,
}

#[derive(Default)]
struct Known {
    moods: VecDeque<Mood>,
    calls: Vec<Received>,
    /// What was done, by key; a second call of a key does nothing more.
    done: BTreeMap<String, Value>,
}

type Shared = Arc<Mutex<Known>>;

/// The server; it ends when dropped.
pub(crate) struct Receiver {
    url: String,
    known: Shared,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Starts one that takes whatever comes.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let known = Shared::default();
        let router = Router::new().route("/{action}", post(receive)).with_state(known.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, known, server }
    }

    /// How it answers the next calls, one by one; after that it takes what comes again.
    pub(crate) fn answer(&self, moods: impl IntoIterator<Item = Mood>) {
        self.known().moods.extend(moods);
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Received> {
        self.known().calls.clone()
    }

    /// What was done.
    pub(crate) fn done(&self) -> Vec<Value> {
        self.known().done.values().cloned().collect()
    }

    /// Waits until it was called that often.
    pub(crate) async fn called(&self, times: usize) {
        until("the receiver is called", || async { self.calls().len() >= times }).await;
    }

    /// A file that declares two actions for refunds, both done here.
    pub(crate) fn actions(&self, timeout_ms: u32, retries: u32) -> String {
        let url = &self.url;
        format!(
            r#"
            [[action]]
            name = "issue_refund"
            description = "Pays the sum back"
            issues = ["refund_request", "duplicate_charge"]
            parameters = {{ amount = "/amounts/0/value", currency = "/amounts/0/currency", customer = "/customer_id" }}
            required = ["amount"]
            url = "{url}/refund"
            secret_env = "RECEIVER_SECRET"
            timeout_ms = {timeout_ms}
            retries = {retries}

            [[action]]
            name = "create_bug_report"
            description = "Tells the team that wrote the software"
            issues = ["refund_request", "duplicate_charge"]
            categories = ["billing"]
            parameters = {{ invoice = "/invoice_ids/0" }}
            url = "{url}/report"
            secret_env = "RECEIVER_SECRET"
            timeout_ms = {timeout_ms}
            retries = {retries}
            "#
        )
    }

    /// Whatever went wrong: every call was signed, an action of a ticket has one key and is always asked for in the same
    /// words.
    pub(crate) fn assert_each_was_done_once(&self) {
        let mut calls_of: BTreeMap<String, BTreeSet<(String, Vec<u8>)>> = BTreeMap::new();
        for call in self.calls() {
            assert!(call.is_signed, "{call:?}");
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            assert_eq!(body["idempotency_key"], call.key.as_str());
            let action = format!("{} of {}", body["action"], body["ticket_id"]);
            calls_of.entry(action).or_default().insert((call.key, call.body));
        }
        assert!(!calls_of.is_empty() && calls_of.values().all(|calls| calls.len() == 1), "{calls_of:#?}");
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(known: &Shared) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(State(known): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let key = header("idempotency-key").unwrap_or_default();
    let is_signed = header("ticketflow-signature").is_some_and(|signature| signature == signed(&body));
    let approved_by = header("ticketflow-approved-by").unwrap_or_default();
    let mood = {
        let mut known = lock(&known);
        known.calls.push(Received { key: key.clone(), body: body.to_vec(), is_signed, approved_by });
        known.moods.pop_front()
    };
    if let Some(Mood::Refuse(status)) = mood {
        return (status, [(RETRY_AFTER, "0")], "not now\u{0} please").into_response();
    }
    let asked = serde_json::from_slice(&body).unwrap();
    let first = lock(&known).done.entry(key).or_insert(asked).clone();
    match mood {
        Some(Mood::Hang) => futures::future::pending().await,
        Some(Mood::BreakOff) => begun(async {
            // What was written before goes out meanwhile.
            tokio::task::yield_now().await;
            Err(io::Error::other("broken off"))
        }),
        Some(Mood::Stall) => begun(futures::future::pending()),
        Some(Mood::Refuse(_) | Mood::Take) | None => {
            axum::Json(json!({ "done": first["action"] })).into_response()
        }
    }
}

/// An answer of which the beginning is sent.
fn begun(rest: impl Future<Output = io::Result<&'static str>> + Send + 'static) -> Response {
    let beginning = stream::once(async { Ok("{") });
    Body::from_stream(beginning.chain(stream::once(rest))).into_response()
}

fn signed(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
