//! Owns the running server: its routes, what it was told, what it remembers.

use crate::{
    behaviour::{Behaviour, BehaviourError},
    chat, embed,
    ledger::{Ledger, Seen, Tally},
    mode::{Mode, UnknownMode},
    respond::ELSEWHERE,
    wire,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Largest request, in bytes.
const LARGEST: usize = 64 << 20;

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub struct FakeModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<std::io::Result<()>>,
    _stop: DropGuard,
}

/// Why a server did not start, or what it cannot do.
#[derive(Debug, thiserror::Error)]
pub enum FakeModelError {
    /// The address could not be listened on.
    #[error("the fake model cannot listen")]
    Listen(#[source] std::io::Error),
    /// The behaviour makes no sense.
    #[error(transparent)]
    Behaviour(#[from] BehaviourError),
}

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    behaviour: Mutex<Behaviour>,
    next: Mutex<VecDeque<Mode>>,
    ledger: Mutex<Ledger>,
    arrived: watch::Sender<u64>,
    pub(crate) stop: CancellationToken,
}

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    shared: &'a Shared,
    pub(crate) seen: Seen,
    pub(crate) mode: Mode,
    pub(crate) latency: Duration,
    pub(crate) retry_after: u64,
    pub(crate) drip: Duration,
}

impl FakeModel {
    /// Starts a server on a free port of the loopback address.
    pub async fn start(behaviour: Behaviour) -> Result<Self, FakeModelError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(FakeModelError::Listen)?;
        Self::serve(listener, behaviour, CancellationToken::new())
    }

    /// Starts a server on `listener`, which ends when `stop` is cancelled.
    pub fn serve(
        listener: TcpListener,
        behaviour: Behaviour,
        stop: CancellationToken,
    ) -> Result<Self, FakeModelError> {
        behaviour.check()?;
        let address = listener.local_addr().map_err(FakeModelError::Listen)?;
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(behaviour),
            next: Mutex::default(),
            ledger: Mutex::default(),
            arrived: watch::Sender::new(0),
            stop: stop.clone(),
        });
        let serve = axum::serve(listener, router(shared.clone()));
        let serving =
            tokio::spawn(serve.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future());
        Ok(Self { address, shared, serving, _stop: stop.drop_guard() })
    }

    /// The base URL for clients, ending in `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Tells the server to behave otherwise from now on.
    pub fn set(&self, behaviour: Behaviour) -> Result<(), FakeModelError> {
        self.shared.set(behaviour)?;
        Ok(())
    }

    /// Tells it what becomes of the next requests, one after the other, whatever the mix says.
    pub fn next(&self, modes: impl IntoIterator<Item = Mode>) {
        lock(&self.shared.next).extend(modes);
    }

    /// The last thousand requests, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.shared.ledger).kept()
    }

    /// Counts of all requests.
    pub fn tally(&self) -> Tally {
        lock(&self.shared.ledger).tally()
    }

    /// Waits until `count` requests have come in since the start.
    pub async fn arrived(&self, count: u64) {
        // The sender lives as long as the server: waiting cannot fail.
        let _ = self.shared.arrived.subscribe().wait_for(|arrived| *arrived >= count).await;
    }

    /// Ends the server and waits until every connection is closed.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.ended().await;
    }

    /// Waits until the server has ended because it was told to.
    pub async fn ended(self) {
        let Self { serving, _stop, .. } = self;
        // A server that panicked has ended as well.
        let _ = serving.await;
    }
}

impl Shared {
    /// Writes a request down and decides what becomes of it: as its model's name says, else as the next in turn, else by
    /// chance.
    pub(crate) fn begin(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
        model: &str,
    ) -> Result<Turn<'_>, UnknownMode> {
        let body_hash = hex::encode(Sha256::digest(body));
        let before = lock(&self.ledger).before(&body_hash);
        let behaviour = lock(&self.behaviour).clone();
        let fate = behaviour.fate(body, before);
        let told = Mode::of_model(model).transpose()?.or_else(|| lock(&self.next).pop_front());
        let mode = told.unwrap_or(fate.mode);
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let mut seen = Seen {
            number: 0,
            path: uri.path().to_owned(),
            mode,
            before,
            body_hash,
            body: serde_json::from_slice(body).unwrap_or_default(),
            authorization: authorization.map(str::to_owned),
        };
        seen.number = lock(&self.ledger).arrived(seen.clone());
        self.arrived.send_replace(seen.number);
        Ok(Turn {
            shared: self,
            mode,
            latency: fate.latency,
            retry_after: behaviour.retry_after,
            drip: Duration::from_millis(behaviour.drip_ms),
            seen,
        })
    }

    fn set(&self, behaviour: Behaviour) -> Result<(), BehaviourError> {
        behaviour.check()?;
        *lock(&self.behaviour) = behaviour;
        Ok(())
    }
}

impl Turn<'_> {
    /// The request is answered, for money if the server were real.
    pub(crate) fn answered(&self) {
        lock(&self.shared.ledger).answered(&self.seen.body_hash);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.shared.ledger).left();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/embeddings", post(embed::embed))
        .route("/v1/models", get(models))
        .route(
            "/fake/requests",
            get(async |State(shared): State<Arc<Shared>>| Json(lock(&shared.ledger).kept())),
        )
        .route(
            "/fake/tally",
            get(async |State(shared): State<Arc<Shared>>| Json(lock(&shared.ledger).tally())),
        )
        .route("/fake/behaviour", get(shown).put(told))
        .route(ELSEWHERE, post(elsewhere))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(shared)
}

/// Every mode, as a model that meets it always.
async fn models() -> Json<Value> {
    let names = Mode::ALL.map(|mode| format!("fake-{mode}"));
    let models =
        names.iter().map(|id| json!({ "id": id, "object": "model", "created": 0, "owned_by": "ticketflow" }));
    Json(json!({ "object": "list", "data": models.collect::<Vec<_>>() }))
}

async fn shown(State(shared): State<Arc<Shared>>) -> Json<Behaviour> {
    Json(lock(&shared.behaviour).clone())
}

async fn told(State(shared): State<Arc<Shared>>, Json(behaviour): Json<Behaviour>) -> Response {
    match shared.set(behaviour) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => wire::bad_request(&error.to_string()),
    }
}

/// Where a client ends that follows redirections; it is written down like any request.
async fn elsewhere(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    // The name asks for no mode, so that nothing can be unknown.
    drop(shared.begin(&uri, &headers, &body, ""));
    StatusCode::NO_CONTENT
}

/// What a handler that panicked left behind is whole: every change under a lock is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
