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
#[cfg(test)]
mod tests;

pub use event_type::EventType;
pub use metrics::describe as describe_metrics;
pub use problem::{Code, Fault, Problem};
pub use serve::serve;
pub use state::{ApiSettings, ApiState};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
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

/// Where the API stands a second time, for clients that want its version in the path.
pub(crate) const PREFIX: &str = "/api/v1";

/// The whole API, at the root and under `/api/v1`.
pub fn router(state: ApiState) -> Router {
    let routes = routes(&state.settings);
    let all = Router::new().merge(routes.clone()).nest(PREFIX, routes);
    let settings = state.settings.clone();
    layered(all.fallback(async || Problem::bare(Code::NoRoute)).with_state(state), &settings)
}

/// What happens to every request, whatever its route.
fn layered(router: Router, settings: &ApiSettings) -> Router {
    let trace = TraceLayer::new_for_http()
        .make_span_with(layers::span)
        .on_request(())
        .on_response(layers::log_response)
        .on_failure(());
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, settings.request_timeout);
    // Outermost first: whatever goes wrong further in, the answer has an id, a log line and a measurement.
    let layers = ServiceBuilder::new()
        .map_request(layers::drop_bad_request_id)
        .layer(SetRequestIdLayer::x_request_id(layers::FreshRequestId))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(trace)
        .layer(from_fn(layers::measure))
        .layer(CompressionLayer::new())
        .layer(from_fn(problem::render))
        .layer(CatchPanicLayer::new())
        .layer(timeout);
    router.layer(layers)
}

/// Every route.
fn routes(settings: &ApiSettings) -> Router<ApiState> {
    use routes::{approvals, articles, control, events, health, operations, run, stats, tickets, workflows};
    let batch = post(tickets::batch::submit).layer(DefaultBodyLimit::max(settings.batch_limit));
    let import = post(articles::import).layer(DefaultBodyLimit::max(settings.batch_limit));
    Router::new()
        .route("/tickets", get(tickets::list::list).post(tickets::submit::submit))
        .route("/tickets/{id}", get(tickets::show::show).patch(tickets::edit::edit))
        .route("/tickets/{id}/events", get(events::list))
        .route("/tickets/{id}/events/verify", get(events::verify))
        .route("/tickets/{id}/run", get(run::show))
        .route("/tickets/{id}/resume", post(control::resume))
        .route("/tickets/{id}/cancel", post(control::cancel))
        .route("/tickets/{id}/pause", post(control::pause))
        .route("/tickets/{id}/retry", post(control::retry))
        .route("/tickets/{id}/fork", post(control::fork))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}/decide", post(approvals::decide))
        .route("/stats", get(stats::stats))
        .route("/articles", get(articles::list))
        .route("/articles/search", get(articles::search))
        .route("/articles/{id}", get(articles::show))
        .route("/queue/stats", get(operations::queue))
        .route("/workers", get(operations::workers))
        .route("/workflows", get(workflows::list))
        .route("/workflows/{name}/graph", get(workflows::graph))
        .route("/health", get(health::overall))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/deep", get(health::deep))
        .route("/metrics", get(health::scrape))
        .layer(DefaultBodyLimit::max(settings.body_limit))
        .route("/tickets/batch", batch)
        .route("/articles/import", import)
}
