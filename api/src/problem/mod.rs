//! Errors as RFC 9457 problem documents.
//!
//! A handler returns a [`Problem`]; one middleware, `render`, writes it out, so that every error of the program,
//! of the router and of any layer looks the same and carries the request's id. The cause of a problem is logged
//! there, once, and never leaves the process.

mod code;
mod convert;
mod document;

pub use code::Code;
pub(crate) use document::Document;
pub use document::Fault;
pub(crate) use document::render;

use axum::{
    body::Body,
    http::{HeaderValue, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use std::{error::Error, sync::Arc};

/// Seconds after which a client may try again when the database is out of reach.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Why a request was not carried out.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    faults: Vec<Fault>,
    retry_after: Option<u16>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem with something to say about this occurrence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = (code == Code::Unavailable).then_some(RETRY_AFTER_SECONDS);
        Self { code, detail: detail.into(), faults: Vec::new(), retry_after, cause: None }
    }

    /// A problem of which nothing more is known.
    pub fn bare(code: Code) -> Self {
        Self::new(code, code.detail())
    }

    /// Nothing called `what` has this id.
    pub fn not_found(what: &str, id: &impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} {id}"))
    }

    /// What is wrong with the body, field by field.
    pub fn invalid_body(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [fault] if fault.pointer.is_empty() => format!("the body {}", fault.detail),
            [fault] => format!("{}: {}", fault.pointer.trim_start_matches('/'), fault.detail),
            faults => format!("{} things are wrong with the body; see errors", faults.len()),
        };
        Self { faults, ..Self::new(Code::InvalidBody, detail) }
    }

    /// What is wrong with one query parameter; `code` is for programs.
    pub fn invalid_parameter(name: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid_part("query", name, code, detail.into())
    }

    /// What is wrong with one header.
    pub fn invalid_header(name: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid_part("header", name, code, detail.into())
    }

    fn invalid_part(part: &str, name: &str, code: &'static str, detail: String) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let problem = Self::new(Code::InvalidParameter, format!("{name}: {detail}"));
        Self { faults: vec![Fault { pointer: format!("/{part}/{escaped}"), code, detail }], ..problem }
    }

    /// A fault of ours, whose cause is for the log alone.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::bare(Code::Internal).caused_by(cause)
    }

    /// Keeps what led to it for the log.
    #[must_use]
    pub fn caused_by(self, cause: impl Error + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self }
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u16) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// What went wrong.
    pub const fn code(&self) -> Code {
        self.code
    }
}

impl IntoResponse for Problem {
    /// Carries the problem to `render`, which knows the request.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.status();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
