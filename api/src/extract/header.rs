//! Reads the request headers that mean something here.

use crate::problem::Problem;
use axum::http::{
    HeaderMap, HeaderName,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use std::time::Duration;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest a client may ask to wait.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// Most characters of an idempotency key.
const MAX_KEY: usize = 255;

/// How long the client prefers to wait for the outcome (RFC 7240), at most a minute. A preference that cannot be
/// read is ignored, as the RFC asks.
pub(crate) fn prefer_wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(',')).filter_map(|item| {
        let (name, seconds) = item.split(';').next()?.split_once('=')?;
        let seconds = seconds.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds).min(MAX_WAIT))
    });
    preferences.next()
}

/// The key that makes a repeated request the same request.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.to_str().ok().map(str::trim);
    let key = key.filter(|key| (1..=MAX_KEY).contains(&key.len())).ok_or_else(|| {
        let detail = format!("must have 1 to {MAX_KEY} visible ASCII characters");
        Problem::invalid_header("Idempotency-Key", "invalid_value", detail)
    })?;
    Ok(Some(key.to_owned()))
}

/// The W3C trace context, if it is well-formed; the specification asks to ignore any other.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else {
        return None;
    };
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let well_formed = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    (well_formed && *version != "ff" && !zero(trace) && !zero(parent)).then(|| text.to_owned())
}

/// Which version the client saw, by `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It does not say.
    Unsaid,
    /// Whichever there is.
    Any,
    /// This one; none is a tag that no version has.
    Version(Option<i64>),
}

/// Reads `If-Match` (RFC 9110): one entity tag, or a star. A weak tag matches nothing.
pub(crate) fn if_match(headers: &HeaderMap) -> Seen {
    match headers.get(IF_MATCH).map(|value| value.to_str().unwrap_or_default().trim()) {
        None => Seen::Unsaid,
        Some("*") => Seen::Any,
        Some(tag) => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            Seen::Version(version.and_then(|version| version.parse().ok()))
        }
    }
}

/// Whether `If-None-Match` names `etag`: then the client has it already.
pub(crate) fn matches_none(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn prefer_is_read_leniently_and_capped() {
        let wait = |value| prefer_wait(&headers("prefer", value)).map(|wait| wait.as_secs());
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, WAIT = \"7\"; x=1"), Some(7));
        assert_eq!(wait("wait=3600"), Some(60));
        assert_eq!(wait("wait=-1"), None);
        assert_eq!(wait("wait"), None);
        assert_eq!(prefer_wait(&HeaderMap::new()), None);
    }

    #[test]
    fn only_a_well_formed_traceparent_is_kept() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&headers("traceparent", good)).as_deref(), Some(good));
        let bad = [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf9-00f067aa0ba902b7-01",
            "x",
        ];
        for value in bad {
            assert_eq!(traceparent(&headers("traceparent", value)), None, "{value}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly() {
        assert!(matches_none(&headers("if-none-match", "\"1\", W/\"2\""), "\"2\""));
        assert!(matches_none(&headers("if-none-match", "*"), "\"2\""));
        assert!(!matches_none(&headers("if-none-match", "\"1\""), "\"2\""));
    }

    #[test]
    fn if_match_names_a_version_a_star_or_what_matches_nothing() {
        let seen = |value| if_match(&headers("if-match", value));
        assert_eq!((seen("\"7\""), seen("*")), (Seen::Version(Some(7)), Seen::Any));
        for tag in ["W/\"7\"", "7", "\"a\"", "\"1\", \"2\""] {
            assert_eq!(seen(tag), Seen::Version(None), "{tag}");
        }
        assert_eq!(if_match(&HeaderMap::new()), Seen::Unsaid);
    }

    #[test]
    fn an_idempotency_key_has_a_length() {
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(idempotency_key(&headers("idempotency-key", "a b")).unwrap().as_deref(), Some("a b"));
        assert!(idempotency_key(&headers("idempotency-key", "")).is_err());
        assert!(idempotency_key(&headers("idempotency-key", &"x".repeat(256))).is_err());
    }
}
