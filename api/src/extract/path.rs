//! Reads what stands in a path. An id that cannot be one names nothing, so it is answered like an unknown one.

use crate::problem::{Code, Problem};
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use ticketflow_engine::RunId;

/// The id of a ticket, which is that of its run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunPath(pub(crate) RunId);

/// A name, as it stands in the path.
#[derive(Debug, Clone)]
pub(crate) struct NamePath(pub(crate) String);

async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let segment = Path::<String>::from_request_parts(parts, state).await;
    segment.map(|Path(text)| text).map_err(|_| Problem::new(Code::NotFound, "the path is not UTF-8"))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

impl<S: Send + Sync> FromRequestParts<S> for RunPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = segment(parts, state).await?;
        text.parse().map(Self).map_err(|_| {
            let detail = format!("{:?} is not a ticket's id: ids are UUIDs", shown(&text));
            Problem::new(Code::NotFound, detail)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self)
    }
}
