//! One module per resource. A handler extracts, calls and maps; it holds no logic of its own.

pub(crate) mod approvals;
pub(crate) mod articles;
pub(crate) mod control;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod models;
pub(crate) mod operations;
pub(crate) mod run;
pub(crate) mod stats;
pub(crate) mod tickets;
pub(crate) mod workflows;

use crate::PREFIX;
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{LINK, LOCATION},
};
use ticketflow_engine::RunId;

/// Says that this is the answer to an earlier request.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header that leads to a new ticket, under the prefix the client came in by.
pub(crate) fn location(uri: &Uri, ticket: RunId) -> HeaderMap {
    let prefix = if uri.path().starts_with(PREFIX) { PREFIX } else { "" };
    let location = HeaderValue::try_from(format!("{prefix}/tickets/{ticket}"));
    location.map(|location| HeaderMap::from_iter([(LOCATION, location)])).unwrap_or_default()
}

/// The header that leads to the next page (RFC 8288).
pub(crate) fn next_link(path: &str, query: &str) -> HeaderMap {
    let link = HeaderValue::try_from(format!("<{path}?{query}>; rel=\"next\""));
    link.map(|link| HeaderMap::from_iter([(LINK, link)])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_has_a_link() {
        let headers = next_link("/api/v1/tickets/x/events", "after=3&limit=2");
        assert_eq!(headers[LINK], "</api/v1/tickets/x/events?after=3&limit=2>; rel=\"next\"");
    }

    #[test]
    fn a_new_ticket_is_found_where_the_client_came_in() {
        let ticket = RunId::from_uuid(uuid::Uuid::nil());
        let at = |uri: &str| location(&uri.parse().unwrap(), ticket)[LOCATION].to_str().unwrap().to_owned();
        assert_eq!(at("/api/v1/tickets"), format!("/api/v1/tickets/{ticket}"));
        assert_eq!(at("/tickets/x/fork"), format!("/tickets/{ticket}"));
    }
}
