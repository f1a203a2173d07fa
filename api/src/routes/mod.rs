//! One module per resource. A handler extracts, calls and maps; it holds no logic of its own.

pub(crate) mod approvals;
pub(crate) mod articles;
pub(crate) mod control;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod operations;
pub(crate) mod run;
pub(crate) mod stats;
pub(crate) mod tickets;
pub(crate) mod workflows;

use axum::http::{HeaderMap, HeaderValue, header::LINK};

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
}
