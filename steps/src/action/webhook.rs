//! Calls a receiver once, and says what its answer means. Repeating is the engine's, by the step's attempts.

use super::declare::Declaration;
use crate::retry_after::retry_after;
use reqwest::{Client, Response, StatusCode, header::CONTENT_TYPE, redirect::Policy};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{error::Error, time::Duration};
use ticketflow_engine::RunId;
use ticketflow_tickets::triage::{ActionOutcome, ActionStatus, ProposedAction};
use tokio::time::{Instant, timeout_at};

/// Header with the key by which a receiver knows a repetition.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header with the person who approved it. Not in the body: another person may approve the same call again.
const APPROVED_BY: &str = "ticketflow-approved-by";
/// Header with the signature of the body.
const SIGNATURE: &str = "ticketflow-signature";
/// Bytes of an answer that are read.
const MOST_READ: usize = 4_096;
/// Characters of an answer that the log keeps.
const MOST_KEPT: usize = 500;
/// Longest that a receiver may ask to be left alone.
const MOST_WAIT: Duration = Duration::from_hours(1);

/// One call of an action's webhook.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) proposal: &'a ProposedAction,
    pub(crate) ticket: RunId,
    pub(crate) approved_by: &'a str,
    /// The same for every try of this action with these parameters for this ticket.
    pub(crate) key: String,
    /// Number of this try, from 1.
    pub(crate) attempt: u32,
    /// Whether the step may not fail again, however patient the action is.
    pub(crate) is_last: bool,
}

/// What a call came to.
#[derive(Debug)]
pub(crate) enum Answered {
    /// There is nothing more to try.
    Settled(ActionOutcome),
    /// It is worth trying again.
    Again {
        /// Why.
        problem: String,
        /// How long the receiver asked to be left alone.
        after: Option<Duration>,
    },
}

/// The body, the same for every call of a key, byte for byte.
#[derive(Serialize)]
struct Request<'a> {
    action: &'a str,
    ticket_id: RunId,
    parameters: &'a Map<String, Value>,
    idempotency_key: &'a str,
}

/// What a receiver said.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: String,
}

/// A client that goes where it was told and nowhere else.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder().redirect(Policy::none()).build()
}

/// Calls.
pub(super) async fn call(http: &Client, action: &Declaration, call: &Call<'_>) -> Answered {
    let deadline = Instant::now() + action.timeout;
    let response = match timeout_at(deadline, send(http, action, call)).await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => return in_vain(action, call, None, problem),
        Err(_) => {
            let problem = format!("no answer within {} ms", action.timeout.as_millis());
            return in_vain(action, call, None, problem);
        }
    };
    let answer = read(response, deadline).await;
    let status = answer.status;
    if status.is_success() {
        return Answered::Settled(outcome(call, ActionStatus::Done, Some(&answer), None));
    }
    let problem = format!("the receiver answered {status}");
    match status {
        // A conflict is how many a receiver answers while an earlier call of the key is still at work.
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => in_vain(action, call, Some(answer), problem),
        status if status.is_server_error() => in_vain(action, call, Some(answer), problem),
        _ => Answered::Settled(outcome(call, ActionStatus::Failed, Some(&answer), Some(problem))),
    }
}

/// Tries again, unless it was tried as often as it may be.
fn in_vain(action: &Declaration, call: &Call<'_>, answer: Option<Answer>, problem: String) -> Answered {
    if call.attempt < action.attempts() && !call.is_last {
        return Answered::Again { problem, after: answer.and_then(|answer| answer.retry_after) };
    }
    // Any of the tries may have been heard: whoever does it by hand unasked may do it a second time.
    let tried = call.attempt;
    let problem = format!("{problem}; tried {tried} times; outcome unknown: check with the receiver");
    Answered::Settled(outcome(call, ActionStatus::Failed, answer.as_ref(), Some(problem)))
}

async fn send(http: &Client, action: &Declaration, call: &Call<'_>) -> Result<Response, String> {
    let request = Request {
        action: &action.name,
        ticket_id: call.ticket,
        parameters: &call.proposal.parameters,
        idempotency_key: &call.key,
    };
    let body = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
    let signature = action.secret.as_ref().and_then(|secret| secret.sign(&body));
    let signature = signature.ok_or_else(|| format!("{} is not set in this process", action.secret_env))?;
    let request = http
        .post(action.url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header(IDEMPOTENCY_KEY, &call.key)
        .header(APPROVED_BY, line(call.approved_by).as_bytes())
        .header(SIGNATURE, signature)
        .body(body);
    request.send().await.map_err(unreachable)
}

/// What a header may hold of a name.
fn line(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// An answer's beginning: it may be as long as it likes, and end as it likes, for its status says what became of the call.
async fn read(mut response: Response, deadline: Instant) -> Answer {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    while body.len() < MOST_READ {
        let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await else { break };
        body.extend_from_slice(&chunk[..chunk.len().min(MOST_READ - body.len())]);
    }
    let body = String::from_utf8_lossy(&body);
    let visible = body.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    Answer {
        status,
        retry_after: retry_after.map(|wait| wait.min(MOST_WAIT)),
        body: visible.take(MOST_KEPT).collect(),
    }
}

/// What came in between, without the URL, which may hold what is no auditor's business.
fn unreachable(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut problem = format!("the receiver was not reached: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        problem = format!("{problem}: {source}");
        cause = source.source();
    }
    problem
}

fn outcome(
    call: &Call<'_>,
    status: ActionStatus,
    answer: Option<&Answer>,
    reason: Option<String>,
) -> ActionOutcome {
    ActionOutcome {
        name: call.proposal.name.clone(),
        parameters: call.proposal.parameters.clone(),
        status,
        idempotency_key: Some(call.key.clone()),
        http_status: answer.map(|answer| answer.status.as_u16()),
        response: answer.map(|answer| answer.body.clone()).filter(|body| !body.is_empty()),
        reason,
    }
}
