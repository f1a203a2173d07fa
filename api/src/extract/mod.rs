//! How requests are read: every fault is found at the edge and named, and each reader fails with a [`Problem`].
//!
//! [`Problem`]: crate::problem::Problem

mod body;
mod fields;
mod header;
mod json;
mod params;
mod path;

pub(crate) use body::{Body, BodyDocument, Media, RawBody, object};
pub(crate) use fields::{Fields, Refused};
pub(crate) use header::{Seen, idempotency_key, if_match, matches_none, prefer_wait, traceparent};
pub(crate) use json::parse_json;
pub(crate) use params::Params;
pub(crate) use path::{NamePath, RunPath};
