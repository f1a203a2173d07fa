//! The router over real HTTP, as far as no database is needed: every error is a problem document with a request id.

use crate::{ApiSettings, ApiState, serve};
use axum::{
    Router,
    routing::{MethodRouter, get},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{Client as Http, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use std::{net::SocketAddr, time::Duration};
use ticketflow_engine::{
    Catalog, Client, Clock, Definition, Step, StepContext, StepError, StepOutcome, input, wakeup::Wakeup,
};
use ticketflow_tickets::{ticket::NewTicket, triage::WORKFLOW};
use tokio::{io::AsyncReadExt, net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const TICKET: &str = r#"{"subject":"Hi","body":"Where is it?","customer_id":"c-1"}"#;

struct Nothing;

impl Step for Nothing {
    const NAME: &'static str = "classify";
    type Input = NewTicket;
    type Output = ();

    async fn run(&self, _: &StepContext, _: NewTicket) -> Result<StepOutcome<()>, StepError> {
        Ok(StepOutcome::Next(()))
    }
}

/// A server whose database does not exist.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::with(ApiSettings::default()).await
    }

    async fn with(settings: ApiSettings) -> Self {
        let options = PgPoolOptions::new().acquire_timeout(Duration::from_millis(50));
        let pool = options.connect_lazy("postgres://nobody@127.0.0.1:1/nothing").unwrap();
        let definition = Definition::builder::<NewTicket>(WORKFLOW, 1).step(Nothing, input());
        let catalog = Catalog::new([definition.build().unwrap()]).unwrap();
        let client = Client::new(pool, catalog, Clock::default(), Wakeup::new(false));
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let stop = CancellationToken::new();
        let state = ApiState::new(client, settings, metrics, stop.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, task: tokio::spawn(serve(listener, state, stop.clone())), stop }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        Http::new().get(self.url(path))
    }

    fn post(&self, path: &str, body: impl Into<String>) -> RequestBuilder {
        Http::new().post(self.url(path)).header("content-type", "application/json").body(body.into())
    }
}

/// Sends a request and checks that the answer is a complete problem document.
async fn problem(request: RequestBuilder) -> (StatusCode, Value, Response) {
    let response = request.send().await.unwrap();
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let headers = response.headers().clone();
    let problem: Value = response.json().await.unwrap();
    for field in ["type", "title", "detail", "code"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {problem}");
    }
    assert_eq!(problem["status"], status.as_u16());
    assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap());
    assert!(problem["errors"].is_array() && problem["retryable"].is_boolean(), "{problem}");
    let mut bare = axum::http::Response::new(Vec::new());
    *bare.headers_mut() = headers;
    (status, problem, bare.into())
}

async fn code(request: RequestBuilder) -> (u16, String) {
    let (status, problem, _) = problem(request).await;
    (status.as_u16(), problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_database_out_of_reach_is_answered_503_with_when_to_come_back() {
    let server = Server::start().await;
    let requests = [
        server.post("/tickets", TICKET),
        server.get("/tickets"),
        server.get(&format!("/tickets/{ID}")),
        server.get(&format!("/api/v1/tickets/{ID}/events")),
        server.post(&format!("/tickets/{ID}/cancel"), r#"{"reason":"x"}"#),
        server.get("/queue/stats"),
    ];
    for request in requests {
        let (status, problem, response) = problem(request).await;
        assert_eq!((status.as_u16(), &problem["retryable"]), (503, &true.into()), "{problem}");
        assert!(response.headers().contains_key("retry-after"));
        assert!(!problem.to_string().contains("pool"), "{problem}");
    }
}

#[tokio::test]
async fn what_no_route_serves_is_a_problem_too() {
    let server = Server::start().await;
    assert_eq!(code(server.get("/nowhere")).await, (404, "no_such_route".into()));
    assert_eq!(code(server.get("/api/v1/nowhere")).await, (404, "no_such_route".into()));
    assert_eq!(code(server.get("/tickets/7")).await, (404, "not_found".into()));
    assert_eq!(code(server.get("/workflows/none/graph")).await, (404, "not_found".into()));
    let (status, problem, response) = problem(Http::new().delete(server.url("/tickets"))).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (405, Some("method_not_allowed")));
    let allow = response.headers()["allow"].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_is_told_why() {
    let server = Server::with(ApiSettings { body_limit: 2_000, ..ApiSettings::default() }).await;
    let post = |body: &str| server.post("/tickets", body);
    assert_eq!(code(post("")).await, (400, "malformed_json".into()));
    assert_eq!(code(post("{")).await, (400, "malformed_json".into()));
    assert_eq!(code(post("[]")).await, (422, "invalid_body".into()));
    assert_eq!(code(post(r#"{"a":1,"a":1}"#)).await, (422, "invalid_body".into()));
    assert_eq!(code(post(&"x".repeat(3_000))).await, (413, "payload_too_large".into()));
    let form = Http::new().post(server.url("/tickets")).body("subject=x");
    assert_eq!(code(form).await, (415, "unsupported_media_type".into()));
    let (_, problem, _) = problem(post(r#"{"subject":" ","body":7,"titel":1}"#)).await;
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/titel", "/subject", "/body", "/customer_id"]);
}

#[tokio::test]
async fn a_parameter_that_cannot_be_taken_is_named_with_a_code_and_a_whole_sentence() {
    let server = Server::start().await;
    let cases = [
        ("/tickets?statsu=completed", "statsu", "unknown_parameter"),
        ("/tickets?customer_id=", "customer_id", "blank"),
        ("/tickets?status=done", "status", "invalid_value"),
        ("/tickets?limit=0", "limit", "invalid_value"),
        ("/tickets?limit=1&limit=2", "limit", "repeated"),
        ("/tickets?cursor=x", "cursor", "invalid_value"),
        ("/articles/search", "q", "required"),
    ];
    for (path, name, code) in cases {
        let (status, problem, _) = problem(server.get(path)).await;
        let fault = &problem["errors"][0];
        assert_eq!((status.as_u16(), &fault["code"]), (422, &code.into()), "{problem}");
        assert_eq!(fault["pointer"], format!("/query/{name}"), "{problem}");
        let sentence = format!("{name}: {}", fault["detail"].as_str().unwrap());
        assert_eq!(problem["detail"], sentence, "{problem}");
    }
    let keyed = server.post("/tickets", TICKET).header("idempotency-key", " ");
    let (_, refused, _) = problem(keyed).await;
    assert_eq!(refused["errors"][0]["pointer"], "/header/Idempotency-Key", "{refused}");
    let (_, unknown, _) =
        problem(server.post("/tickets", r#"{"subject":"s","body":"b","customer_id":"c","hue":1}"#)).await;
    assert_eq!(unknown["detail"], r#"hue: there is no field "hue""#, "{unknown}");
}

/// What a lone route answers through the layers that every route has.
async fn through_the_layers(route: MethodRouter) -> (StatusCode, Value) {
    let settings = ApiSettings { request_timeout: Duration::from_millis(50), ..ApiSettings::default() };
    let router = crate::layered(Router::new().route("/", route), &settings);
    let response = router.oneshot(axum::extract::Request::new(axum::body::Body::empty())).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_panic_is_answered_without_its_text() {
    let (status, problem) = through_the_layers(get(async || -> &str { panic!("secret") })).await;
    assert_eq!((status.as_u16(), &problem["code"]), (500, &"internal_error".into()));
    assert!(!problem.to_string().contains("secret"));
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_timeout() {
    let (status, problem) = through_the_layers(get(std::future::pending::<&str>)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (408, &"request_timeout".into()));
}

#[tokio::test]
async fn a_request_id_is_echoed_if_it_is_fit_for_logs() {
    let server = Server::start().await;
    let echoed = async |id: &str| {
        let response = server.get("/health/live").header("x-request-id", id).send().await.unwrap();
        response.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(echoed("abc").await, "abc");
    let fresh = echoed("two words").await;
    assert!(uuid::Uuid::parse_str(&fresh).is_ok(), "{fresh}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_a_timeout() {
    let settings = ApiSettings { body_timeout: Duration::from_millis(50), ..ApiSettings::default() };
    let server = Server::with(settings).await;
    let never = reqwest::Body::wrap_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request =
        Http::new().post(server.url("/tickets")).header("content-type", "application/json").body(never);
    assert_eq!(code(request).await, (408, "request_timeout".into()));
}

#[tokio::test]
async fn headers_that_do_not_arrive_end_the_connection() {
    let settings = ApiSettings { header_timeout: Duration::from_millis(50), ..ApiSettings::default() };
    let server = Server::with(settings).await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
}

#[tokio::test]
async fn health_says_what_is_wrong_and_liveness_needs_no_database() {
    let server = Server::start().await;
    assert_eq!(server.get("/health/live").send().await.unwrap().status(), 200);
    assert_eq!(server.get("/metrics").send().await.unwrap().status(), 200);
    assert_eq!(server.get("/health/ready").send().await.unwrap().status(), 503);
    let response = server.get("/health").send().await.unwrap();
    assert_eq!(response.status(), 503);
    let health: Value = response.json().await.unwrap();
    assert_eq!((&health["status"], &health["database"]), (&"unhealthy".into(), &"unhealthy".into()));
}

#[tokio::test]
async fn a_workflow_is_drawn_in_every_notation() {
    let server = Server::start().await;
    let kinds = [("", "text/plain"), ("?format=dot", "text/vnd.graphviz"), ("?format=svg", "image/svg+xml")];
    for (query, kind) in kinds {
        let response = server.get(&format!("/workflows/{WORKFLOW}/graph{query}")).send().await.unwrap();
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(kind), "{query}");
        assert!(response.text().await.unwrap().contains("classify"), "{query}");
    }
    let bad = server.get(&format!("/workflows/{WORKFLOW}/graph?format=png"));
    assert_eq!(code(bad).await, (422, "invalid_parameter".into()));
}

#[tokio::test]
async fn the_server_stops_when_it_is_told_to() {
    let server = Server::start().await;
    let http = Http::new();
    http.get(server.url("/health/live")).send().await.unwrap();
    server.stop.cancel();
    // The client keeps its idle connection open; that must not hold the server up.
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap();
}
