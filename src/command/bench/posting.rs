//! Clients that post tickets, and the least an HTTP service could do with them: one row each, inserted at once.

use super::{connect, phases::Bench, probe::as_f64};
use crate::command::demo::samples;
use anyhow::Context as _;
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// Tickets that differ: the bundled samples, handed in by ever other customers. Clones continue one sequence.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    samples: Arc<Vec<Value>>,
    next: Arc<AtomicUsize>,
}

impl Bodies {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { samples: Arc::new(samples::all()?), next: Arc::default() })
    }

    fn next(&self) -> Value {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut ticket = self.samples[number % self.samples.len()].clone();
        ticket["customer_id"] = format!("bench-{}", number / self.samples.len()).into();
        ticket
    }
}

/// What clients got.
#[derive(Debug)]
pub(super) struct Posted {
    seconds: f64,
    /// Of each answer.
    pub(super) times: Vec<Duration>,
}

impl Posted {
    pub(super) fn per_second(&self) -> f64 {
        as_f64(self.times.len()) / self.seconds
    }
}

/// Posts single tickets from `clients` at once for some `time`.
pub(super) async fn one_by_one(
    url: &str,
    bodies: &Bodies,
    clients: usize,
    time: Duration,
) -> anyhow::Result<Posted> {
    let http = http()?;
    let started = Instant::now();
    let tasks = (0..clients).map(|_| {
        let (http, url, bodies) = (http.clone(), url.to_owned(), bodies.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while started.elapsed() < time {
                let body = bodies.next();
                let sent = Instant::now();
                send(&http, &url, &body).await?;
                times.push(sent.elapsed());
            }
            anyhow::Ok(times)
        })
    });
    let mut times = Vec::new();
    for task in futures::future::join_all(tasks).await {
        times.extend(task??);
    }
    Ok(Posted { seconds: started.elapsed().as_secs_f64(), times })
}

/// Posts `tickets` in batches of `size` from `clients` at once; returns the seconds it took.
pub(super) async fn batches(
    url: &str,
    bodies: &Bodies,
    tickets: usize,
    size: usize,
    clients: usize,
) -> anyhow::Result<f64> {
    let (http, url) = (http()?, format!("{url}/batch"));
    let made: Vec<Value> = (0..tickets).map(|_| bodies.next()).collect();
    let batches: Arc<Vec<Value>> = Arc::new(made.chunks(size).map(|batch| json!(batch)).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks = (0..clients).map(|_| {
        let (http, url, batches, next) = (http.clone(), url.clone(), batches.clone(), next.clone());
        tokio::spawn(async move {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                send(&http, &url, batch).await?;
            }
            anyhow::Ok(())
        })
    });
    for task in futures::future::join_all(tasks).await {
        task??;
    }
    Ok(started.elapsed().as_secs_f64())
}

fn http() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build().context("cannot set up the HTTP client")
}

async fn send(http: &reqwest::Client, url: &str, body: &Value) -> anyhow::Result<()> {
    let answer = http.post(url).json(body).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    anyhow::ensure!(status.is_success(), "{url} answered {status}: {text}");
    Ok(())
}

/// The minimal service, on a free port of this machine.
pub(super) struct Floor {
    pub(super) url: String,
    pool: PgPool,
    task: JoinHandle<()>,
}

impl Floor {
    pub(super) async fn start(bench: &Bench) -> anyhow::Result<Self> {
        let pool = connect(bench.options.clone()).await?;
        let table = "CREATE TABLE floor_posts (id bigserial PRIMARY KEY, payload jsonb NOT NULL,
                         status text NOT NULL DEFAULT 'queued', created_at timestamptz NOT NULL DEFAULT now())";
        sqlx::query(table).execute(&pool).await?;
        let router = Router::new().route("/tickets", post(insert)).with_state(pool.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/tickets", listener.local_addr()?);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the floor's service failed");
            }
        });
        Ok(Self { url, pool, task })
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.task.abort();
        sqlx::query("DROP TABLE floor_posts").execute(&self.pool).await?;
        self.pool.close().await;
        Ok(())
    }
}

async fn insert(
    State(pool): State<PgPool>,
    Json(ticket): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let insert = "INSERT INTO floor_posts (payload) VALUES ($1) RETURNING id";
    let id: i64 = sqlx::query_scalar(insert).bind(&ticket).fetch_one(&pool).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the floor did not insert");
        StatusCode::INTERNAL_SERVER_ERROR
    })?;
    Ok((StatusCode::CREATED, Json(json!({"id": id, "status": "queued"}))))
}
