//! Reads query parameters. An unknown one is refused by name, and one without a value too: neither a typo in a filter
//! nor a variable that was not set may widen an answer.

use crate::problem::Problem;
use axum::{extract::FromRequestParts, http::request::Parts};
use std::{collections::BTreeMap, str::FromStr};

/// The query's parameters, as far as they were not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Params {
    left: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Params {
    /// Reads a query string.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        let mut left = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.contains('\0') {
                return Err(Problem::invalid_parameter(
                    &name,
                    "invalid_character",
                    "must not contain U+0000",
                ));
            }
            if value.trim().is_empty() {
                let detail = "has no value; leave the parameter out if it is not meant";
                return Err(Problem::invalid_parameter(&name, "blank", detail));
            }
            if left.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::invalid_parameter(&name, "repeated", "stands twice in the query"));
            }
        }
        Ok(Self { left, known: Vec::new() })
    }

    /// Takes a parameter as text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.left.remove(name)
    }

    /// Takes a parameter and reads it with `parse`; `wanted` says what it must be.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(Problem::invalid_parameter(name, "invalid_value", format!("must be {wanted}"))),
        }
    }

    /// Takes a whole number between `least` and `most`.
    pub(crate) fn number<N>(&mut self, name: &'static str, least: N, most: N) -> Result<Option<N>, Problem>
    where
        N: FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let wanted = format!("a whole number from {least} to {most}");
        self.parsed(name, &wanted, |text| text.parse().ok().filter(|number| (least..=most).contains(number)))
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => {
                let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
                Err(Problem::invalid_parameter(
                    name,
                    "unknown_parameter",
                    format!("is not a parameter of this route; it has: {known}"),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    #[test]
    fn parameters_are_taken_one_by_one() {
        let mut params = Params::parse("after=3&q=a+b%26").unwrap();
        assert_eq!(params.number("after", -1, 10).unwrap(), Some(3));
        assert_eq!(params.number("limit", 1, 10).unwrap(), None);
        assert_eq!(params.text("q").as_deref(), Some("a b&"));
        params.finish().unwrap();
    }

    #[test]
    fn what_is_unknown_repeated_or_out_of_range_is_refused() {
        let mut typo = Params::parse("statsu=x").unwrap();
        typo.text("status");
        assert_eq!(typo.finish().unwrap_err().code(), Code::InvalidParameter);
        assert!(Params::parse("a=1&a=2").is_err());
        assert!(Params::parse("a=%00").is_err());
        for empty in ["customer_id=", "customer_id", "customer_id=+"] {
            assert_eq!(Params::parse(empty).unwrap_err().code(), Code::InvalidParameter, "{empty}");
        }
        assert!(Params::parse("limit=0").unwrap().number("limit", 1, 10).is_err());
        assert!(Params::parse("limit=x").unwrap().number("limit", 1, 10).is_err());
    }
}
