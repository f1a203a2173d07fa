//! The HTTP API: REST for support teams, auditors and operators.
//!
//! [`router`] is the only list of routes. A handler extracts, calls the engine or the ticket store, and maps; there
//! is no SQL here. Every error leaves as an RFC 9457 problem document, written by one middleware.

mod admission;
mod event_type;
mod extract;
mod layers;
mod metrics;
mod problem;
mod routes;
mod serve;
mod state;

pub use event_type::EventType;
pub use metrics::describe as describe_metrics;
pub use problem::{Code, Fault, Problem};
pub use serve::serve;
pub use state::{ApiSettings, ApiState};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn,
    routing::{get, post},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    request_id::{PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use axum::http::StatusCode;

/// The whole API, at the root and under `/api/v1`.
pub fn router(state: ApiState) -> Router {
    let routes = routes();
    let layers = ServiceBuilder::new()
        .map_request(layers::drop_bad_request_id)
        .layer(SetRequestIdLayer::x_request_id(layers::FreshRequestId))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(layers::span)
                .on_request(())
                .on_response(layers::log_response)
                .on_failure(()),
        )
        .layer(from_fn(layers::measure))
        .layer(CompressionLayer::new())
        .layer(from_fn(problem::render))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, state.settings.request_timeout));
    Router::new()
        .merge(routes.clone())
        .nest("/api/v1", routes)
        .fallback(async || Problem::bare(Code::NoRoute))
        .layer(DefaultBodyLimit::max(state.settings.body_limit))
        .layer(layers)
        .with_state(state)
}

/// Every route.
fn routes() -> Router<ApiState> {
    use routes::{control, events, health, operations, run, workflows};
    Router::new()
        .route("/tickets/{id}/events", get(events::list))
        .route("/tickets/{id}/events/verify", get(events::verify))
        .route("/tickets/{id}/run", get(run::show))
        .route("/tickets/{id}/resume", post(control::resume))
        .route("/tickets/{id}/cancel", post(control::cancel))
        .route("/tickets/{id}/pause", post(control::pause))
        .route("/tickets/{id}/retry", post(control::retry))
        .route("/tickets/{id}/fork", post(control::fork))
        .route("/queue/stats", get(operations::queue))
        .route("/workers", get(operations::workers))
        .route("/workflows", get(workflows::list))
        .route("/workflows/{name}/graph", get(workflows::graph))
        .route("/health", get(health::overall))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::scrape))
}
