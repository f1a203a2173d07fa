//! A support desk whose steps ask a model: a real server over real HTTP that answers by rule and misbehaves on demand.

use super::{TestEngine, engine::Builder, until};
use serde_json::{Value, json, value::to_raw_value};
use ticketflow_engine::{
    Actor, Backoff, Catalog, RunId,
    client::EnqueueRequest,
    event::Event,
    status::{LiveState, RunStatus},
    store::control,
};
use ticketflow_fake_llm::{Behaviour, FakeModel};
use ticketflow_tickets::{
    model::breaker::{self, ModelBreaker},
    triage::{AiAccount, TriageStep, WORKFLOW},
};
use ticketflow_workflows::{
    TriageSettings,
    models::{ModelSettings, ProviderSettings, StepModelSettings},
};

/// Name of the provider.
pub(crate) const PROVIDER: &str = "fake";
/// Name of the model that does as the server is told.
pub(crate) const MODEL: &str = "fake";
/// The steps that can ask a model.
pub(crate) const MODEL_STEPS: [TriageStep; 4] =
    [TriageStep::Classify, TriageStep::Extract, TriageStep::Draft, TriageStep::Review];

/// An engine and the model that its steps ask.
pub(crate) struct TestDesk {
    pub(crate) engine: TestEngine,
    pub(crate) model: FakeModel,
}

/// A desk all of whose steps ask, unless the settings are changed; its steps are repeated at once.
pub(crate) async fn desk(
    behaviour: Behaviour,
    change: impl FnOnce(&mut ModelSettings) + 'static,
) -> TestDesk {
    desk_on(TestEngine::builder().workers(1), behaviour, change).await
}

/// The same on an engine of some kind.
pub(crate) async fn desk_on(
    builder: Builder,
    behaviour: Behaviour,
    change: impl FnOnce(&mut ModelSettings) + 'static,
) -> TestDesk {
    start(builder, behaviour, change, |catalog| catalog).await
}

/// One without workers, with something around every call of a step.
pub(crate) async fn desk_around(
    behaviour: Behaviour,
    surround: impl FnOnce(Catalog) -> Catalog + 'static,
) -> TestDesk {
    start(TestEngine::builder(), behaviour, |_| {}, surround).await
}

async fn start(
    builder: Builder,
    behaviour: Behaviour,
    change: impl FnOnce(&mut ModelSettings) + 'static,
    surround: impl FnOnce(Catalog) -> Catalog + 'static,
) -> TestDesk {
    let model = FakeModel::start(behaviour).await.unwrap();
    let mut models = models(&model);
    change(&mut models);
    let engine = builder.desk(move |pool| {
        let settings = TriageSettings { models, ..TriageSettings::new(pool.clone()) };
        let mut catalog = ticketflow_workflows::catalog(settings).unwrap();
        for step in TriageStep::ALL {
            let at_once = Backoff { base_ms: 0, factor: 1.0, cap_ms: 0 };
            catalog.override_policy(WORKFLOW, step.as_str(), |policy| policy.backoff = at_once).unwrap();
        }
        surround(catalog)
    });
    TestDesk { engine: engine.start().await, model }
}

/// All four steps ask the model.
fn models(model: &FakeModel) -> ModelSettings {
    let steps = MODEL_STEPS.map(|step| (step, StepModelSettings::new(PROVIDER, MODEL)));
    ModelSettings {
        providers: [(PROVIDER.to_owned(), ProviderSettings::at(model.url()))].into(),
        steps: steps.into(),
        prompts_dir: None,
    }
}

/// Lets only one step ask, and that some model.
pub(crate) fn only(settings: &mut ModelSettings, step: TriageStep, model: &str) {
    settings.steps = [(step, StepModelSettings::new(PROVIDER, model))].into();
}

/// The provider's settings.
pub(crate) fn provider(settings: &mut ModelSettings) -> &mut ProviderSettings {
    settings.providers.get_mut(PROVIDER).unwrap()
}

/// The `number`th of many tickets that differ.
pub(crate) fn ticket(number: usize) -> Value {
    let mut ticket = super::app::ticket(number);
    ticket.as_object_mut().unwrap().remove("channel");
    ticket
}

impl TestDesk {
    /// Submits a ticket.
    pub(crate) async fn submit(&self, ticket: &Value) -> RunId {
        let request = EnqueueRequest::new(WORKFLOW, to_raw_value(ticket).unwrap(), Actor::new("api:test"));
        self.engine.client.enqueue(request).await.unwrap().run()
    }

    /// Submits many tickets that differ.
    pub(crate) async fn submit_many(&self, count: usize) -> Vec<RunId> {
        let request = |number| {
            EnqueueRequest::new(WORKFLOW, to_raw_value(&ticket(number)).unwrap(), Actor::new("api:test"))
        };
        let enqueued = self.engine.client.enqueue_many((0..count).map(request).collect()).await;
        enqueued.into_iter().map(|enqueued| enqueued.unwrap().run()).collect()
    }

    /// Waits until a ticket is triaged: completed, or in the hands of a person.
    pub(crate) async fn triaged(&self, run: RunId) {
        until("the ticket is triaged", || async {
            if self.engine.status(run).await == RunStatus::Completed {
                return true;
            }
            let row = control::live(&mut *self.engine.connection().await, run, false).await.unwrap();
            row.is_some_and(|row| row.state == LiveState::Waiting)
        })
        .await;
    }

    /// Submits a ticket and waits for its triage.
    pub(crate) async fn triage(&self, ticket: &Value) -> RunId {
        let run = self.submit(ticket).await;
        self.triaged(run).await;
        run
    }

    /// Waits until all are triaged, as long as there is any progress.
    pub(crate) async fn all_triaged(&self) {
        let under_way = async || -> i64 {
            let query = "SELECT count(*) FROM live_runs WHERE state <> 'waiting'";
            sqlx::query_scalar(query).fetch_one(&self.engine.pool).await.unwrap()
        };
        let mut left = under_way().await;
        while left > 0 {
            until("another ticket is triaged", || async { under_way().await < left }).await;
            left = under_way().await;
        }
    }

    /// A step's output.
    pub(crate) async fn output(&self, run: RunId, step: TriageStep) -> Value {
        let history = self.engine.history(run).await;
        let output = history.output(step.as_str()).unwrap_or_else(|| panic!("{step} has no output"));
        serde_json::from_str(output.get()).unwrap()
    }

    /// Who made a step's output.
    pub(crate) async fn account(&self, run: RunId, step: TriageStep) -> AiAccount {
        serde_json::from_value(self.output(run, step).await["ai"].clone()).unwrap()
    }

    /// The accounts of all results that a model or the rules made for a run, in the order of its log.
    pub(crate) async fn accounts(&self, run: RunId) -> Vec<AiAccount> {
        let log = self.engine.log(run).await;
        let outputs = log.into_iter().filter_map(|record| {
            let Event::StepCompleted(completed) = record.event else { return None };
            serde_json::from_str::<Value>(completed.output.get()).ok()
        });
        outputs.filter_map(|output| serde_json::from_value(output.get("ai")?.clone()).ok()).collect()
    }

    /// Codes of the failed attempts in a run's log.
    pub(crate) async fn retries(&self, run: RunId) -> Vec<String> {
        let log = self.engine.log(run).await;
        let codes = log.into_iter().filter_map(|record| {
            let Event::StepRetried(retried) = record.event else { return None };
            Some(retried.error.code)
        });
        codes.collect()
    }

    /// What is known of models.
    pub(crate) async fn breakers(&self) -> Vec<ModelBreaker> {
        breaker::all(&mut *self.engine.connection().await).await.unwrap()
    }

    /// The ticket's row, as the API shows it.
    pub(crate) async fn ticket(&self, run: RunId) -> Value {
        let ticket = ticketflow_tickets::ticket::get(&mut *self.engine.connection().await, run).await;
        json!(ticket.unwrap().unwrap())
    }

    /// Ends the test: the audit finds nothing.
    pub(crate) async fn finish(self) {
        self.engine.finish().await;
        self.model.stop().await;
    }
}
