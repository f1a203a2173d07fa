//! What agents change about a ticket. Corrections of what the program found are kept beside it: they train the classifier.

use super::show::etag;
use crate::{
    extract::{Body, BodyDocument, Fields, Refused, RunPath, Seen, if_match, object},
    problem::{Code, Fault, Problem},
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use ticketflow_engine::RunId;
use ticketflow_tickets::{
    taxonomy::{Category, Priority},
    ticket::{self, Amended, Amendment, Metadata, TicketEdit},
};

/// Most characters of who works a ticket, who changes it, and of a tag.
const MAX_NAME: usize = 200;
const MAX_TAG: usize = 60;
const MOST_TAGS: usize = 50;
/// Most characters of a reply.
const MAX_RESPONSE: usize = 20_000;

/// An agent's edit, of whatever version.
pub(crate) struct Edit(Amendment);

impl BodyDocument for Edit {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        object(value, |fields| {
            let category =
                fields.optional_word("category", "the name of a category", |name| Category::parse(name).ok());
            let priority =
                fields.optional_word("priority", "one of low, medium, high, urgent", Priority::parse);
            let final_response = fields.optional_text("final_response", MAX_RESPONSE);
            let assignee = fields.nullable_text("assignee", MAX_NAME);
            let tags = fields.optional_texts("tags", MOST_TAGS, MAX_TAG);
            let metadata = metadata(fields);
            let entities = fields.optional_object("entities");
            let edited_by = fields.optional_text("edited_by", MAX_NAME);
            let edit = TicketEdit {
                category: category?,
                priority: priority?,
                final_response: final_response?,
                assignee: assignee?,
                tags: tags?,
                metadata: metadata?,
                ..TicketEdit::default()
            };
            let amendment = Amendment { edit, entities: entities?, edited_by: edited_by?, version: None };
            if amendment.edit == TicketEdit::default() && amendment.entities.is_none() {
                return fields.fault(nothing());
            }
            Ok(Self(amendment))
        })
    }
}

fn nothing() -> Fault {
    let detail =
        "must change something: category, priority, entities, final_response, assignee, tags or metadata";
    Fault { pointer: String::new(), code: "required", detail: detail.to_owned() }
}

fn metadata(fields: &mut Fields<'_>) -> Result<Option<Metadata>, Refused> {
    match fields.optional_object("metadata")?.map(Metadata::parse).transpose() {
        Ok(metadata) => Ok(metadata),
        Err(error) => fields.fault(error.into()),
    }
}

/// `PATCH /tickets/{id}`
pub(crate) async fn edit(
    State(state): State<ApiState>,
    RunPath(id): RunPath,
    headers: HeaderMap,
    Body(Edit(amendment)): Body<Edit>,
) -> Result<Response, Problem> {
    check_category(&state, &amendment)?;
    let amendment = Amendment { version: version(&state, &headers)?, ..amendment };
    let mut connection = state.connection().await?;
    let amended = ticket::amend(&state.client, &mut connection, id, amendment, &state.actor()).await?;
    match amended {
        Amended::Done(ticket) => Ok((etag(ticket.version), Json(ticket)).into_response()),
        Amended::Outdated(version) => Err(outdated(id, version)),
        Amended::BadEntities(problem) => {
            let fault = Fault { pointer: "/entities".to_owned(), code: "invalid_value", detail: problem };
            Err(Problem::invalid_body(vec![fault]))
        }
        Amended::NoResponse => {
            let detail = format!(
                "ticket {id} has no reply yet that could be changed: decide on its draft with an edited_response"
            );
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

/// The version that the client saw; none: it need not say.
fn version(state: &ApiState, headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    match if_match(headers) {
        Seen::Version(version) => Ok(Some(version.unwrap_or(0))),
        Seen::Any => Ok(None),
        Seen::Unsaid if state.settings.last_write_wins => Ok(None),
        Seen::Unsaid => Err(Problem::bare(Code::VersionRequired)),
    }
}

fn check_category(state: &ApiState, amendment: &Amendment) -> Result<(), Problem> {
    let known = &state.settings.categories;
    match &amendment.edit.category {
        Some(category) if !known.is_empty() && !known.contains(category) => {
            let known: Vec<&str> = known.iter().map(Category::as_str).collect();
            let detail = format!("must be one of {}", known.join(", "));
            let fault = Fault { pointer: "/category".to_owned(), code: "unknown_word", detail };
            Err(Problem::invalid_body(vec![fault]))
        }
        Some(_) | None => Ok(()),
    }
}

fn outdated(id: RunId, version: i64) -> Problem {
    let detail = format!("ticket {id} has version {version} by now: read it again and decide anew");
    Problem::new(Code::Outdated, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_edit_names_what_changes_and_nothing_else() {
        let Edit(amendment) =
            Edit::parse(&json!({ "category": "order", "assignee": null, "edited_by": "ada" })).ok().unwrap();
        assert_eq!((amendment.edit.assignee, amendment.edited_by.as_deref()), (Some(None), Some("ada")));
        let pointers = |body: Value| -> Vec<String> {
            Edit::parse(&body).err().unwrap().into_iter().map(|fault| fault.pointer).collect()
        };
        assert_eq!(pointers(json!({ "edited_by": "ada" })), [""]);
        assert_eq!(pointers(json!({ "priority": "now", "status": "completed" })), ["/priority", "/status"]);
        assert_eq!(pointers(json!({ "tags": ["a", 7] })), ["/tags"]);
    }
}
