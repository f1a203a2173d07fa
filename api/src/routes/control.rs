//! Operators' actions on a ticket's run. Each needs a reason, which the log keeps.

use crate::{
    extract::{Body, BodyDocument, RunPath, object},
    problem::{Code, Fault, Problem},
    routes::{
        location,
        run::{RunView, load},
        tickets,
    },
    state::ApiState,
};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use ticketflow_engine::{RunId, StepName, client::EditedOutputs, store::control};
use ticketflow_tickets::ticket::TicketStatus;

/// Most characters of a reason.
const MAX_REASON: usize = 2_000;

/// Why an operator acts.
pub(crate) struct Reason(String);

impl BodyDocument for Reason {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        object(value, |fields| fields.text("reason", MAX_REASON).map(Self))
    }
}

/// How a run is to go on.
pub(crate) struct Resume {
    reason: String,
    from_step: Option<StepName>,
    edited: EditedOutputs,
}

impl BodyDocument for Resume {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        object(value, |fields| {
            let (reason, from_step) = (fields.text("reason", MAX_REASON), fields.optional_step("from_step"));
            let edited = fields.outputs("edited_outputs");
            Ok(Self { reason: reason?, from_step: from_step?, edited: edited? })
        })
    }
}

/// Where a new run is to take over.
pub(crate) struct Fork {
    reason: String,
    from_step: StepName,
    edited: Option<Box<RawValue>>,
}

impl BodyDocument for Fork {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        object(value, |fields| {
            let (reason, from_step) =
                (fields.text("reason", MAX_REASON), fields.text("from_step", MAX_REASON));
            let edited = fields.optional_json("edited_output");
            Ok(Self { reason: reason?, from_step: StepName::new(&from_step?), edited: edited? })
        })
    }
}

/// How things stand after an action.
#[derive(Debug, Serialize)]
pub(crate) struct Acted {
    ticket_id: RunId,
    status: TicketStatus,
    run: RunView,
}

type Answer = Result<Json<Acted>, Problem>;

async fn answer(state: &ApiState, run: RunId) -> Answer {
    let ticket = tickets::show::load(state, run).await?;
    Ok(Json(Acted { ticket_id: run, status: ticket.status, run: load(state, run).await? }))
}

/// `POST /tickets/{id}/cancel`
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
    Body(Reason(reason)): Body<Reason>,
) -> Answer {
    state.client.cancel(run, &state.actor(), &reason).await?;
    answer(&state, run).await
}

/// `POST /tickets/{id}/pause`
pub(crate) async fn pause(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
    Body(Reason(reason)): Body<Reason>,
) -> Answer {
    state.client.pause(run, &state.actor(), &reason).await?;
    answer(&state, run).await
}

/// `POST /tickets/{id}/retry`
pub(crate) async fn retry(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
    Body(Reason(reason)): Body<Reason>,
) -> Answer {
    state.client.retry_now(run, &state.actor(), &reason).await?;
    answer(&state, run).await
}

/// `POST /tickets/{id}/resume`
pub(crate) async fn resume(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
    Body(Resume { reason, from_step, edited }): Body<Resume>,
) -> Answer {
    state.client.resume(run, &state.actor(), &reason, from_step, edited).await?;
    answer(&state, run).await
}

/// What a fork made.
#[derive(Debug, Serialize)]
struct Forked {
    ticket_id: RunId,
    #[serde(rename = "forked_from")]
    parent: RunId,
    status: TicketStatus,
}

/// `POST /tickets/{id}/fork`
pub(crate) async fn fork(
    State(state): State<ApiState>,
    RunPath(run): RunPath,
    OriginalUri(uri): OriginalUri,
    Body(body): Body<Fork>,
) -> Result<Response, Problem> {
    let edited = edited_before(&state, run, &body).await?;
    let forked = state.client.fork(run, &state.actor(), &body.reason, body.from_step, edited).await?;
    let answer = Json(Forked { ticket_id: forked, parent: run, status: TicketStatus::Pending });
    Ok((StatusCode::CREATED, location(&uri, forked), answer).into_response())
}

/// The given output stands for that of the step right before the one to start from.
async fn edited_before(state: &ApiState, run: RunId, body: &Fork) -> Result<EditedOutputs, Problem> {
    let Some(output) = &body.edited else {
        return Ok(EditedOutputs::new());
    };
    let mut connection = state.connection().await?;
    let header = control::header(&mut connection, run, false).await?;
    let header = header.ok_or_else(|| Problem::not_found("ticket", &run))?;
    let definition = state.client.catalog().get(&header.definition);
    let steps = definition.map(|definition| definition.steps.as_slice()).unwrap_or_default();
    let pair = steps.windows(2).find(|pair| pair[1].name == body.from_step);
    let pair = pair.ok_or_else(|| {
        let detail =
            format!("no step comes before {}, whose output edited_output could replace", body.from_step);
        Problem::new(Code::BadValue, detail)
    })?;
    Ok(EditedOutputs::from([(pair[0].name.clone(), output.clone())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reason_must_be_given_and_nothing_else() {
        assert!(Reason::parse(&json!({ "reason": "typo" })).is_ok());
        assert_eq!(Reason::parse(&json!({})).err().unwrap()[0].pointer, "/reason");
        assert_eq!(
            Reason::parse(&json!({ "reason": "a", "force": true })).err().unwrap()[0].pointer,
            "/force"
        );
        assert_eq!(Reason::parse(&json!([])).err().unwrap()[0].pointer, "");
    }

    #[test]
    fn outputs_are_edited_by_step() {
        let body =
            json!({ "reason": "a", "from_step": "draft", "edited_outputs": { "classify": { "x": 1 } } });
        let resume = Resume::parse(&body).unwrap();
        assert_eq!(resume.from_step, Some(StepName::new("draft")));
        assert_eq!(resume.edited[&StepName::new("classify")].get(), r#"{"x":1}"#);
    }
}
