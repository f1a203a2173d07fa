//! Database URLs that name several hosts, as libpq takes them: `postgres://user:password@a:5432,b:5433/name`.
//!
//! Pure: what is written in a URL becomes a way to connect to each of its hosts.

use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;

/// Never with the URL itself, which may carry a password.
const NOT_A_URL: &str = "DATABASE_URL is not a URL like postgres://user:password@host:5432/name, or with several hosts \
                         postgres://user:password@a:5432,b:5432/name";
const ATTRIBUTES: &str = "target_session_attrs of DATABASE_URL has to be read-write or primary, or to be left out: \
                          everything writes";

/// How to connect to each host of a URL, in the order in which they are to be tried.
pub(super) fn parse(url: &str) -> Result<Vec<PgConnectOptions>, &'static str> {
    let url = without_attributes(url)?;
    let options = |url: &str| PgConnectOptions::from_str(url).map_err(|_| NOT_A_URL);
    single(&url)?.iter().map(|url| options(url)).collect()
}

/// The URLs of the single hosts.
fn single(url: &str) -> Result<Vec<String>, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or(NOT_A_URL)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    if hosts.contains(',') && hosts.split(',').any(str::is_empty) {
        return Err(NOT_A_URL);
    }
    Ok(hosts.split(',').map(|host| format!("{scheme}://{user}{host}{path}")).collect())
}

/// The URL without `target_session_attrs`, of which only what asks for a server that takes writes is accepted.
fn without_attributes(url: &str) -> Result<String, &'static str> {
    let Some((before, query)) = url.split_once('?') else { return Ok(url.to_owned()) };
    let (attributes, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.starts_with("target_session_attrs="));
    let accepted = ["target_session_attrs=read-write", "target_session_attrs=primary"];
    if attributes.iter().any(|attribute| !accepted.contains(attribute)) {
        return Err(ATTRIBUTES);
    }
    Ok(if others.is_empty() { before.to_owned() } else { format!("{before}?{}", others.join("&")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<(String, u16)> {
        let options = parse(url).unwrap();
        options.iter().map(|options| (options.get_host().to_owned(), options.get_port())).collect()
    }

    #[test]
    fn every_host_has_its_port_and_shares_the_rest() {
        let url = "postgres://ada:se%2Ccret@a:5433,b,[::1]:5434/tickets?target_session_attrs=read-write&sslmode=disable";
        assert_eq!(
            single(&without_attributes(url).unwrap()).unwrap(),
            [
                "postgres://ada:se%2Ccret@a:5433/tickets?sslmode=disable",
                "postgres://ada:se%2Ccret@b/tickets?sslmode=disable",
                "postgres://ada:se%2Ccret@[::1]:5434/tickets?sslmode=disable",
            ]
        );
        let parsed = parse(url).unwrap();
        assert_eq!(parsed[0].get_port(), 5433);
        assert!(
            parsed.iter().all(|host| host.get_username() == "ada" && host.get_database() == Some("tickets"))
        );
    }

    #[test]
    fn a_url_of_one_host_is_what_it_was() {
        assert_eq!(hosts("postgres://db:5433/name"), [("db".to_owned(), 5433)]);
        assert_eq!(parse("postgres:///name?host=/run/postgresql").unwrap().len(), 1);
        // A comma in the path or the query names no host.
        assert_eq!(hosts("postgres://db:1/a,b?application_name=c,d"), [("db".to_owned(), 1)]);
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_repeated() {
        for wrong in [
            "tickets",
            "postgres://a,,b/name",
            "postgres://ada:secret@a,/name",
            "postgres://ada:secret@a:x/n",
        ] {
            let said = parse(wrong).unwrap_err();
            assert!(said.contains("is not a URL") && !said.contains("ada"), "{wrong}: {said}");
        }
        for attributes in ["any", "standby", "prefer-standby", "read-only"] {
            let url = format!("postgres://a,b/name?target_session_attrs={attributes}");
            assert_eq!(parse(&url).unwrap_err(), ATTRIBUTES);
        }
        assert!(parse("postgres://a,b/name?target_session_attrs=primary").is_ok());
    }
}
