//! Clients that post tickets over HTTP side by side. Each repeats a post under its key until it is acknowledged,
//! whatever happens to the API and to the database meanwhile.

use super::{TestApp, app::ticket, until};
use futures::future::join_all;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{sync::watch, task::JoinHandle};

/// Clients at work.
pub(crate) struct Clients {
    shared: Arc<Shared>,
    address: watch::Sender<String>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    http: Client,
    posts: AtomicUsize,
    over: AtomicBool,
    acknowledged: Mutex<Vec<String>>,
    replayed: AtomicUsize,
    refused: AtomicUsize,
    cut_off: AtomicUsize,
}

impl Clients {
    /// Starts `count` clients of the API, which post until the end.
    pub(crate) fn start(app: &TestApp, count: usize) -> Self {
        let shared = Arc::new(Shared { http: app.http().clone(), ..Shared::default() });
        let address = watch::Sender::new(app.url(""));
        let client = |_| tokio::spawn(shared.clone().client(address.subscribe()));
        let tasks = (0..count).map(client).collect();
        Self { shared, address, tasks }
    }

    /// Tells those whose connection broke where the API is now.
    pub(crate) fn go_on_at(&self, app: &TestApp) {
        self.address.send_replace(app.url(""));
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.shared.acknowledged().len()
    }

    /// How many posts were answered 503.
    pub(crate) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// How often a connection broke. A client waits for a new address then, so it counts once for each death.
    pub(crate) fn cut_off(&self) -> usize {
        self.shared.cut_off.load(Ordering::SeqCst)
    }

    /// How many acknowledgements named a ticket that an earlier try had made.
    pub(crate) fn replayed(&self) -> usize {
        self.shared.replayed.load(Ordering::SeqCst)
    }

    /// Waits until `count` more posts are acknowledged.
    pub(crate) async fn go_on(&self, count: usize) {
        let before = self.acknowledged();
        until("posts are acknowledged", || async { self.acknowledged() >= before + count }).await;
    }

    /// Lets every client finish its post. Each post made exactly one ticket, and each ticket came to its end.
    pub(crate) async fn finish(mut self, app: &TestApp) {
        self.shared.over.store(true, Ordering::SeqCst);
        let ended = join_all(std::mem::take(&mut self.tasks));
        let ended = tokio::time::timeout(super::PATIENCE, ended).await;
        ended.expect("some post was never acknowledged").into_iter().for_each(|client| client.unwrap());
        app.settle().await;
        let posts = self.shared.posts.load(Ordering::SeqCst);
        let told: BTreeSet<String> = self.shared.acknowledged().iter().cloned().collect();
        assert_eq!((self.acknowledged(), told.len()), (posts, posts), "each post has a ticket of its own");
        assert_eq!(app.tickets().await, posts, "one ticket for each post");
        for id in told {
            let (_, found) = app.get(&format!("/tickets/{id}")).await;
            let at_its_end = ["completed", "awaiting_approval"].map(|status| json!(status));
            assert!(at_its_end.contains(&found["status"]), "{found}");
        }
    }
}

/// Nobody goes on posting when the test has failed.
impl Drop for Clients {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn acknowledged(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn client(self: Arc<Self>, mut address: watch::Receiver<String>) {
        while !self.over.load(Ordering::SeqCst) {
            let number = self.posts.fetch_add(1, Ordering::SeqCst);
            self.post(number, &mut address).await;
        }
    }

    /// Posts a ticket until it is acknowledged.
    async fn post(&self, number: usize, address: &mut watch::Receiver<String>) {
        loop {
            let url = address.borrow_and_update().clone();
            match self.attempt(&url, number).await {
                Ok(Some(id)) => return self.acknowledged().push(id),
                Ok(None) => self.ready(&url).await,
                Err(_) => {
                    self.cut_off.fetch_add(1, Ordering::SeqCst);
                    address.changed().await.unwrap();
                }
            }
        }
    }

    /// The ticket's id, if it was acknowledged; `None` if the API asked to come again; an error if it broke off.
    async fn attempt(&self, url: &str, number: usize) -> reqwest::Result<Option<String>> {
        // Two posts each have the same content: their keys alone tell them apart.
        let post = self.http.post(format!("{url}/tickets")).json(&ticket(number / 2));
        let response = post.header("idempotency-key", format!("post {number}")).send().await?;
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            assert_asks_to_come_again(response).await?;
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Ok(None);
        }
        let (status, replayed) = (response.status(), response.headers().contains_key("idempotency-replayed"));
        let answer: Value = response.json().await?;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        self.replayed.fetch_add(usize::from(replayed), Ordering::SeqCst);
        Ok(Some(answer["ticket_id"].as_str().unwrap().to_owned()))
    }

    /// Waits as a load balancer would, which asks before it sends the next request.
    async fn ready(&self, url: &str) {
        until("the API is ready again", || async {
            let ready = self.http.get(format!("{url}/health/ready")).send().await;
            ready.is_ok_and(|ready| ready.status() == StatusCode::OK)
        })
        .await;
    }
}

async fn assert_asks_to_come_again(response: Response) -> reqwest::Result<()> {
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (kind, seconds) = (header("content-type"), header("retry-after"));
    let problem: Value = response.json().await?;
    assert_eq!(kind, "application/problem+json", "{problem}");
    assert!(seconds.parse::<u16>().is_ok_and(|seconds| seconds > 0), "Retry-After: {seconds}");
    let said = ["status", "code", "retryable"].map(|field| problem[field].clone());
    assert_eq!(said, [json!(503), json!("database_unavailable"), json!(true)], "{problem}");
    Ok(())
}
