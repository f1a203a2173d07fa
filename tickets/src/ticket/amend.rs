//! An agent's edit of a ticket: made on the version that the agent saw, recorded as an event, and kept apart from what
//! the steps found.

use super::{
    correction::corrected,
    edit::TicketEdit,
    row::{TicketRow, load},
    store,
    view::Ticket,
};
use crate::{
    projection,
    triage::{Extraction, Rewrite, TriageStep},
};
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};
use ticketflow_engine::{
    Actor, Client, ControlError, RunId, StoreError,
    event::{Event, EventRecord, Note},
    pooler::settle,
    store::{control, event},
};

/// What an agent asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Amendment {
    /// What is changed as a whole.
    pub edit: TicketEdit,
    /// What the ticket names and asks for, field by field; fields that are not named stay as they are.
    pub entities: Option<Map<String, Value>>,
    /// Who changes it.
    pub edited_by: Option<String>,
    /// The version that was seen; none: whatever it is by now.
    pub version: Option<i64>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Amended {
    /// The ticket as it stands now.
    Done(Box<Ticket>),
    /// It has changed since it was seen: this is its version.
    Outdated(i64),
    /// The entities cannot be changed like this.
    BadEntities(String),
    /// No reply was settled yet that could be changed.
    NoResponse,
}

/// The ticket under its run's lock, and what its log says.
struct Standing {
    row: TicketRow,
    log: Vec<EventRecord>,
    result: Value,
}

/// Changes a ticket.
///
/// # Errors
/// [`ControlError::NotFound`] if there is no such ticket; else if the database did not do it, and then nothing changed.
pub async fn amend(
    client: &Client,
    connection: &mut PgConnection,
    ticket: RunId,
    amendment: Amendment,
    actor: &Actor,
) -> Result<Amended, ControlError> {
    let mut transaction = connection.begin().await.map_err(StoreError::database("begin an edit"))?;
    let standing = stand(&mut transaction, ticket).await?;
    if amendment.version.is_some_and(|seen| seen != standing.row.version) {
        return Ok(Amended::Outdated(standing.row.version));
    }
    let note = match note(ticket, &standing, amendment).await? {
        Ok(note) => note,
        Err(refused) => return Ok(refused),
    };
    client.annotate(&mut transaction, ticket, actor, note).await?;
    let amended = store::get(&mut transaction, ticket).await?;
    transaction.commit().await.map_err(StoreError::database("commit an edit"))?;
    settle(connection).await?;
    amended.map(|ticket| Amended::Done(Box::new(ticket))).ok_or(ControlError::NotFound(ticket))
}

/// Locks the run, live row first as everybody does, so that nothing changes until the edit is recorded.
async fn stand(connection: &mut PgConnection, ticket: RunId) -> Result<Standing, ControlError> {
    let live = control::live(connection, ticket, true).await?;
    control::header(connection, ticket, live.is_none()).await?.ok_or(ControlError::NotFound(ticket))?;
    let rows = load(connection, &[ticket]).await.map_err(StoreError::database("read a ticket"))?;
    let row = rows.into_iter().next().ok_or(ControlError::NotFound(ticket))?;
    let log = event::load(connection, ticket, -1).await?;
    let result = projection::result_of(ticket, &log).unwrap_or_default();
    Ok(Standing { row, log, result })
}

/// The event, or why there can be none.
async fn note(
    ticket: RunId,
    standing: &Standing,
    amendment: Amendment,
) -> Result<Result<Note, Amended>, StoreError> {
    let Amendment { mut edit, entities, edited_by, .. } = amendment;
    if let Some(changed) = &entities {
        match with_changed(&standing.result["entities"], changed) {
            Ok(all) => edit.entities = Some(all),
            Err(problem) => return Ok(Err(Amended::BadEntities(problem))),
        }
    }
    let mut about = Map::new();
    if let Some(response) = &edit.final_response {
        let Some(draft) = standing.result["draft"].as_str().filter(|_| standing.row.completed_at.is_some())
        else {
            return Ok(Err(Amended::NoResponse));
        };
        about.insert("rewrite".into(), json!(compared(draft, response).await));
    }
    let predicted = predicted(ticket, &standing.log, &[TriageStep::Classify, TriageStep::Extract]);
    let corrected = corrected(&edit, entities.as_ref(), &predicted, &standing.result);
    if !corrected.is_empty() {
        let maker = predicted_by(ticket, &standing.log);
        about
            .extend([("corrected".to_owned(), Value::Object(corrected)), ("predicted_by".to_owned(), maker)]);
    }
    about.extend(edited_by.map(|name| ("edited_by".to_owned(), Value::String(name))));
    let about = if about.is_empty() { Value::Null } else { Value::Object(about) };
    Ok(Ok(edit.note(about).map_err(StoreError::Encode)?))
}

/// Long texts take their time, which is not the runtime's.
async fn compared(draft: &str, response: &str) -> Option<Rewrite> {
    let (draft, response) = (draft.to_owned(), response.to_owned());
    tokio::task::spawn_blocking(move || Rewrite::between(&draft, &response)).await.ok()
}

/// The entities with these fields changed, which must still be entities.
fn with_changed(entities: &Value, changed: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let Value::Object(entities) = entities else {
        return Err("nothing was extracted from this ticket yet that could be corrected".to_owned());
    };
    let mut all = entities.clone();
    if let Some(unknown) = changed.keys().find(|key| !all.contains_key(*key)) {
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        return Err(format!("there is no entity {unknown:?}; there are {}", known.join(", ")));
    }
    all.extend(changed.clone());
    match serde_json::from_value::<Extraction>(Value::Object(all.clone())) {
        Ok(_) => Ok(all),
        Err(error) => Err(error.to_string()),
    }
}

/// What these steps found, whatever people made of it.
fn predicted(ticket: RunId, log: &[EventRecord], steps: &[TriageStep]) -> Value {
    let is_of = |record: &&EventRecord| match &record.event {
        Event::Created(_) => true,
        Event::StepCompleted(_) => {
            let step = record.step.as_ref().and_then(|step| TriageStep::parse(step.as_str()));
            step.is_some_and(|step| steps.contains(&step))
        }
        Event::StepRetried(_)
        | Event::Slept(_)
        | Event::Waited(_)
        | Event::SignalReceived(_)
        | Event::WaitTimedOut(_)
        | Event::LeaseExpired(_)
        | Event::Noted(_)
        | Event::Annotated(_)
        | Event::Paused(_)
        | Event::Resumed(_)
        | Event::RetriedNow(_)
        | Event::Migrated(_)
        | Event::Cancelled(_)
        | Event::Failed(_)
        | Event::Completed(_) => false,
    };
    let events: Vec<EventRecord> = log.iter().filter(is_of).cloned().collect();
    projection::result_of(ticket, &events).unwrap_or_default()
}

/// Which provider and model classified the ticket.
fn predicted_by(ticket: RunId, log: &[EventRecord]) -> Value {
    let classified = predicted(ticket, log, &[TriageStep::Classify]);
    let of = |field: &str| classified[field].clone();
    json!({ "provider": of("provider"), "model": of("model"), "prompt_version": of("prompt_version") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::IssueType;

    #[test]
    fn entities_are_corrected_field_by_field_and_stay_entities() {
        let found = serde_json::to_value(Extraction::empty(IssueType::Question)).unwrap();
        let change = |changed: Value| with_changed(&found, changed.as_object().unwrap());
        let all = change(json!({ "order_id": "ORD-1" })).unwrap();
        assert_eq!((&all["order_id"], &all["issue_type"]), (&json!("ORD-1"), &json!("question")));
        assert!(change(json!({ "order": "ORD-1" })).unwrap_err().contains("order_id"));
        assert!(change(json!({ "order_id": 7 })).is_err());
        assert!(with_changed(&Value::Null, &Map::new()).is_err());
    }
}
