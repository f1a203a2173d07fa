//! Submitting a ticket: the one way by which it becomes a run.
//!
//! A guard row makes it happen once: under the caller's key, or without one under the ticket's content.

use crate::{ticket::NewTicket, triage::WORKFLOW};
use chrono::TimeDelta;
use serde_json::value::to_raw_value;
use ticketflow_engine::{
    Actor, Client, ControlError, RunId, StoreError,
    chain::Hash,
    client::EnqueueRequest,
    store::enqueue::{Enqueued, Guard},
};

/// How a ticket is submitted.
#[derive(Debug, Clone)]
pub struct SubmitOptions {
    /// The caller's key: the same key with the same ticket is the same submission.
    pub idempotency_key: Option<String>,
    /// How long such a key is kept.
    pub window: TimeDelta,
    /// Without a key: how long the same content is the same submission; zero: it never is.
    pub content_window: TimeDelta,
    /// Who submits.
    pub actor: Actor,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl SubmitOptions {
    /// A submission by `actor` without a key, guarded by its content for a day.
    pub fn by(actor: Actor) -> Self {
        let day = TimeDelta::days(1);
        Self { idempotency_key: None, window: day, content_window: day, actor, traceparent: None }
    }
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// The ticket.
    pub id: RunId,
    /// How it came to be.
    pub outcome: SubmitOutcome,
}

/// How the ticket that answers a submission came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// This submission made it.
    Created,
    /// The same submission made it before.
    Replayed,
    /// The key was used before for another ticket, which this is; nothing was submitted.
    KeyReused,
}

/// Submits a ticket; when this returns, it is durable.
///
/// # Errors
/// If the database did not do it.
pub async fn submit(
    client: &Client,
    ticket: &NewTicket,
    options: SubmitOptions,
) -> Result<Submitted, ControlError> {
    let enqueued = client.enqueue(request(ticket, options)?).await?;
    Ok(submitted(enqueued))
}

/// Submits many tickets, sharing commits; each has its own outcome, in order.
pub async fn submit_many(
    client: &Client,
    tickets: Vec<(NewTicket, SubmitOptions)>,
) -> Vec<Result<Submitted, ControlError>> {
    let all = tickets.iter().map(|(ticket, options)| submit(client, ticket, options.clone()));
    futures::future::join_all(all).await
}

fn submitted(enqueued: Enqueued) -> Submitted {
    let outcome = match enqueued {
        Enqueued::Created(_) => SubmitOutcome::Created,
        Enqueued::Replayed(_) => SubmitOutcome::Replayed,
        Enqueued::KeyReused(_) => SubmitOutcome::KeyReused,
    };
    Submitted { id: enqueued.run(), outcome }
}

fn request(ticket: &NewTicket, options: SubmitOptions) -> Result<EnqueueRequest, ControlError> {
    let input = to_raw_value(ticket).map_err(StoreError::Encode)?;
    let guard = guard(ticket, input.get(), &options);
    let mut request = EnqueueRequest::new(WORKFLOW, input, options.actor);
    request.guard = guard;
    request.traceparent = options.traceparent;
    Ok(request)
}

/// Keys and contents are hashed with a prefix each, so that no key can pose as a content.
fn guard(ticket: &NewTicket, input: &str, options: &SubmitOptions) -> Option<Guard> {
    let content = ticket.content_hash();
    match &options.idempotency_key {
        Some(key) => Some(Guard {
            key_hash: Hash::of(&[b"ticket key\0", key.as_bytes()].concat()),
            request_hash: Hash::of(input.as_bytes()),
            window: options.window,
        }),
        None if options.content_window <= TimeDelta::zero() => None,
        None => Some(Guard {
            key_hash: Hash::of(&[b"ticket content\0".as_slice(), content.as_bytes()].concat()),
            request_hash: Hash::of(content.as_bytes()),
            window: options.content_window,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn guard_of(body: &str, channel: &str, key: Option<&str>) -> Guard {
        let json = json!({ "subject": "S", "body": body, "customer_id": "c", "channel": channel });
        let ticket = NewTicket::from_json(&json).unwrap();
        let options = SubmitOptions {
            idempotency_key: key.map(str::to_owned),
            ..SubmitOptions::by(Actor::new("test"))
        };
        guard(&ticket, &serde_json::to_string(&ticket).unwrap(), &options).unwrap()
    }

    #[test]
    fn without_a_key_the_content_alone_decides() {
        let (email, web) = (guard_of("b", "email", None), guard_of("b", "web", None));
        assert_eq!((email.key_hash, email.request_hash), (web.key_hash, web.request_hash));
        assert_ne!(email.key_hash, guard_of("other", "email", None).key_hash);
    }

    #[test]
    fn a_key_is_the_same_for_another_ticket_but_its_request_is_not() {
        let (one, other) = (guard_of("b", "email", Some("k")), guard_of("b", "web", Some("k")));
        assert_eq!(one.key_hash, other.key_hash);
        assert_ne!(one.request_hash, other.request_hash);
        assert_ne!(one.key_hash, guard_of("b", "email", Some("l")).key_hash);
    }
}
