//! Handing in many tickets at once. Each has its own outcome: one bad item harms no other.

use super::submit::{options, replayed};
use crate::{
    extract::{BodyDocument, Media, RawBody, idempotency_key, parse_json},
    problem::{Code, Document, Fault, Problem},
    state::ApiState,
};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use serde_json::value::RawValue;
use ticketflow_engine::{ControlError, RunId};
use ticketflow_tickets::{
    submit::{Submitted, submit_many},
    ticket::NewTicket,
};
use tower_http::request_id::RequestId;

/// Most tickets in a batch.
const MAX_ITEMS: usize = 1_000;

/// What became of one item.
#[derive(Debug, Serialize)]
struct Item {
    index: usize,
    /// The HTTP status it would have had alone.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Document>,
}

/// What became of all items, in their order.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    accepted: usize,
    refused: usize,
    results: Vec<Item>,
}

/// `POST /tickets/batch`
pub(crate) async fn submit(
    State(state): State<ApiState>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<(StatusCode, Json<Outcome>), Problem> {
    state.admission.admit(&state.client).await?;
    let key = idempotency_key(&headers)?;
    let parsed: Vec<Result<NewTicket, Problem>> = items(&body)?.into_iter().map(ticket).collect();
    let wanted = parsed.iter().enumerate().filter_map(|(index, ticket)| {
        // Each item has a key of its own, so that a batch that is sent again makes no ticket twice. No header can
        // hold the NUL, so no single request can have the same.
        let key = key.as_ref().map(|key| format!("{key}\0{index}"));
        Some((ticket.as_ref().ok()?.clone(), options(&state, &headers, key)))
    });
    let submitted = submit_many(&state.client, wanted.collect()).await;
    let outcome = outcome(parsed, submitted, request_id.header_value().to_str().ok());
    let status = if outcome.refused == 0 { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(outcome)))
}

/// The items of a batch as JSON texts; nothing is said about what they hold.
fn items(body: &RawBody) -> Result<Vec<&[u8]>, Problem> {
    let items: Vec<&[u8]> = match body.media {
        Media::Json => array(&body.bytes)?.into_iter().map(|item| item.get().as_bytes()).collect(),
        Media::Ndjson => body.bytes.split(|&byte| byte == b'\n').filter(|line| !is_blank(line)).collect(),
    };
    let refuse =
        |code, detail: String| Problem::invalid_body(vec![Fault { pointer: String::new(), code, detail }]);
    match items.len() {
        0 => Err(refuse("blank", "must hold at least one ticket".to_owned())),
        count if count > MAX_ITEMS => {
            Err(refuse("too_long", format!("must hold at most {MAX_ITEMS} tickets, holds {count}")))
        }
        _ => Ok(items),
    }
}

fn array(bytes: &[u8]) -> Result<Vec<&RawValue>, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(Code::MalformedJson, format!("the body is not a JSON array of tickets: {error}"))
    })
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

fn ticket(item: &[u8]) -> Result<NewTicket, Problem> {
    BodyDocument::parse(&parse_json(item)?).map_err(Problem::invalid_body)
}

/// Brings what was submitted and what was refused before back into the order of the items.
fn outcome(
    parsed: Vec<Result<NewTicket, Problem>>,
    submitted: Vec<Result<Submitted, ControlError>>,
    request_id: Option<&str>,
) -> Outcome {
    let mut submitted = submitted.into_iter();
    let results: Vec<Item> = parsed
        .into_iter()
        .map(|ticket| {
            ticket?;
            let submitted = submitted.next().ok_or_else(|| Problem::bare(Code::Internal))??;
            Ok((submitted.id, replayed(submitted)?))
        })
        .enumerate()
        .map(|(index, result)| item(index, result, request_id))
        .collect();
    let refused = results.iter().filter(|item| item.problem.is_some()).count();
    Outcome { accepted: results.len() - refused, refused, results }
}

fn item(index: usize, result: Result<(RunId, bool), Problem>, request_id: Option<&str>) -> Item {
    match result {
        Ok((id, replayed)) => Item {
            index,
            status: StatusCode::CREATED.as_u16(),
            ticket_id: Some(id),
            replayed: Some(replayed),
            problem: None,
        },
        Err(problem) => {
            problem.log();
            let status = problem.code().status().as_u16();
            let problem = Document::new(problem, request_id.map(str::to_owned));
            Item { index, status, ticket_id: None, replayed: None, problem: Some(problem) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_tickets::submit::SubmitOutcome;

    fn body(media: Media, text: &str) -> RawBody {
        RawBody { media, bytes: text.to_owned().into() }
    }

    #[test]
    fn both_forms_hold_the_same_items() {
        let array = body(Media::Json, "[{\"a\":1}, 2]");
        let lines = body(Media::Ndjson, "{\"a\":1}\r\n\n2\n");
        assert_eq!(items(&array).unwrap(), [b"{\"a\":1}".as_slice(), b"2"]);
        assert_eq!(items(&lines).unwrap(), [b"{\"a\":1}\r".as_slice(), b"2"]);
    }

    #[test]
    fn a_batch_has_bounds() {
        let code = |media, text: &str| items(&body(media, text)).unwrap_err().code();
        assert_eq!(code(Media::Json, "[]"), Code::InvalidBody);
        assert_eq!(code(Media::Ndjson, "\n \n"), Code::InvalidBody);
        assert_eq!(code(Media::Ndjson, &"1\n".repeat(MAX_ITEMS + 1)), Code::InvalidBody);
        assert_eq!(code(Media::Json, "{}"), Code::MalformedJson);
        assert_eq!(code(Media::Json, "[1"), Code::MalformedJson);
    }

    #[test]
    fn a_bad_item_leaves_the_others_in_their_places() {
        let good = r#"{"subject":"s","body":"b","customer_id":"c"}"#;
        let twice = r#"{"subject":"s","subject":"t","body":"b","customer_id":"c"}"#;
        let parsed = [good, "{}", good, "{", twice].map(|text| ticket(text.as_bytes())).into();
        let id = RunId::from_uuid(uuid::Uuid::nil());
        let outcomes = [SubmitOutcome::Created, SubmitOutcome::Replayed];
        let submitted = outcomes.map(|outcome| Ok(Submitted { id, outcome })).into();
        let outcome = outcome(parsed, submitted, Some("r"));
        let statuses: Vec<_> = outcome.results.iter().map(|item| (item.index, item.status)).collect();
        assert_eq!(statuses, [(0, 201), (1, 422), (2, 201), (3, 400), (4, 422)]);
        assert_eq!(outcome.results[2].replayed, Some(true));
        assert_eq!((outcome.accepted, outcome.refused), (2, 3));
    }
}
