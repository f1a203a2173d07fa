//! The workflows this process knows, and pictures of them.

use crate::{
    extract::{NamePath, Params},
    problem::Problem,
    state::ApiState,
};
use axum::{
    Json,
    extract::State,
    http::header::{CONTENT_TYPE, HeaderName},
};
use serde::Serialize;
use ticketflow_engine::{
    DefinitionId, StepName,
    graph::{Format, draw},
    workflow::{Definition, StepDefinition},
};

/// A jump on the wire.
#[derive(Debug, Serialize)]
struct JumpView {
    to: StepName,
    at_most: u32,
}

/// A step on the wire.
#[derive(Debug, Serialize)]
struct StepView {
    name: StepName,
    max_attempts: u32,
    timeout_ms: u64,
    may_go_to: Vec<JumpView>,
}

/// A workflow on the wire.
#[derive(Debug, Serialize)]
struct WorkflowView {
    name: String,
    version: i32,
    queue: String,
    priority: i16,
    steps: Vec<StepView>,
}

impl From<&StepDefinition> for StepView {
    fn from(step: &StepDefinition) -> Self {
        let jumps = step.jumps.iter().map(|jump| JumpView { to: jump.target.clone(), at_most: jump.limit });
        Self {
            name: step.name.clone(),
            max_attempts: step.policy.max_attempts,
            timeout_ms: step.policy.timeout_ms,
            may_go_to: jumps.collect(),
        }
    }
}

impl From<&Definition> for WorkflowView {
    fn from(definition: &Definition) -> Self {
        Self {
            name: definition.id.workflow.to_string(),
            version: definition.id.version,
            queue: definition.queue.to_string(),
            priority: definition.priority,
            steps: definition.steps.iter().map(StepView::from).collect(),
        }
    }
}

/// Every workflow.
#[derive(Debug, Serialize)]
pub(crate) struct Workflows {
    workflows: Vec<WorkflowView>,
}

/// `GET /workflows`
pub(crate) async fn list(State(state): State<ApiState>) -> Json<Workflows> {
    let workflows = state.client.catalog().iter().map(|definition| WorkflowView::from(&**definition));
    Json(Workflows { workflows: workflows.collect() })
}

/// `GET /workflows/{name}/graph`
pub(crate) async fn graph(
    State(state): State<ApiState>,
    NamePath(name): NamePath,
    mut params: Params,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let format = params.parsed("format", "one of mermaid, dot, svg, ascii", Format::parse)?;
    let version = params.number("version", 1, i32::MAX)?;
    params.finish()?;
    let catalog = state.client.catalog();
    let definition = match version {
        Some(version) => catalog.get(&DefinitionId::new(&name, version)),
        None => catalog.latest(&name),
    };
    let definition = definition.ok_or_else(|| Problem::not_found("workflow", &format!("{name:?}")))?;
    let format = format.unwrap_or(Format::Mermaid);
    Ok(([(CONTENT_TYPE, content_type(format))], draw(definition, format)))
}

const fn content_type(format: Format) -> &'static str {
    match format {
        Format::Mermaid | Format::Ascii => "text/plain; charset=utf-8",
        Format::Dot => "text/vnd.graphviz; charset=utf-8",
        Format::Svg => "image/svg+xml",
    }
}
