//! Owns the header `Retry-After`: how long a server asks to be left alone.

use chrono::DateTime;
use http::{
    HeaderMap,
    header::{DATE, HeaderName, RETRY_AFTER},
};
use std::time::Duration;

/// RFC 9110 §10.2.3: seconds, or a time. A time is read against the server's own clock. None if neither can be read.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text| DateTime::parse_from_rfc2822(text).ok();
    let (then, now) = (time(asked)?, time(text(DATE)?)?);
    (then - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_read_as_seconds_and_as_a_time() {
        let asked = |headers: &[(HeaderName, &str)]| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
            retry_after(&headers.collect())
        };
        assert_eq!(asked(&[(RETRY_AFTER, " 7 ")]), Some(Duration::from_secs(7)));
        let date = (DATE, "Sat, 21 Nov 2026 10:00:00 GMT");
        let then = (RETRY_AFTER, "Sat, 21 Nov 2026 10:01:30 GMT");
        assert_eq!(asked(&[date.clone(), then]), Some(Duration::from_secs(90)));
        let past = (RETRY_AFTER, "Sat, 21 Nov 2026 09:59:59 GMT");
        assert_eq!(asked(&[date, past]), None);
        assert_eq!(asked(&[(RETRY_AFTER, "soon")]), None);
    }
}
