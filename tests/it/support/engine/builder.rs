//! How an engine under test is to be.

use super::TestEngine;
use crate::support::{
    Act, Call, Script,
    database::{Database, Schema},
    greenhouse::{at_once, greenhouse},
    topology,
};
use sqlx::PgPool;
use std::time::Duration;
use ticketflow_engine::{Catalog, Client, Clock, StepPolicy, wakeup::Wakeup};
use ticketflow_worker::WorkerOptions;

type MakeCatalog = Box<dyn FnOnce(&Script, &PgPool) -> Catalog>;

/// How an engine is to be.
pub(crate) struct Builder {
    workers: usize,
    notify: bool,
    policy: StepPolicy,
    options: WorkerOptions,
    script: Script,
    schema: Schema,
    catalog: Option<MakeCatalog>,
    server: Option<String>,
}

impl Builder {
    /// So many workers.
    pub(crate) fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Whether NOTIFY is used.
    pub(crate) fn notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }

    /// How every step is tried.
    pub(crate) fn policy(mut self, policy: StepPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Changes the workers' settings.
    pub(crate) fn options(mut self, change: impl FnOnce(&mut WorkerOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// What the steps do.
    pub(crate) fn script(self, plan: impl Fn(&Call) -> Act + Send + Sync + 'static) -> Self {
        self.script.set(plan);
        self
    }

    /// Other workflows than the greenhouse's first version.
    pub(crate) fn catalog(mut self, catalog: impl FnOnce(&Script) -> Catalog + 'static) -> Self {
        self.catalog = Some(Box::new(move |script, _| catalog(script)));
        self
    }

    /// The support desk's workflows, and its tables.
    pub(crate) fn desk(mut self, catalog: impl FnOnce(&PgPool) -> Catalog + 'static) -> Self {
        self.schema = Schema::Desk;
        self.catalog = Some(Box::new(move |_, pool| catalog(pool)));
        self
    }

    /// On a server of its own.
    pub(crate) fn server(mut self, url: String) -> Self {
        self.server = Some(url);
        self
    }

    /// Starts it.
    pub(crate) async fn start(self) -> TestEngine {
        let database = match self.server {
            Some(url) => Database::create_on(url, self.schema).await,
            None => Database::create(self.schema).await,
        };
        let (pool, way_in) = (database.direct_pool().await, database.pool().await);
        let (script, policy) = (self.script, self.policy);
        let catalog = match self.catalog {
            Some(make) => make(&script, &way_in),
            None => Catalog::new([greenhouse(1, &script, policy).build().unwrap()]).unwrap(),
        };
        let clock = Clock::default();
        let wakeup = Wakeup::new(self.notify);
        let client = Client::on(topology(), way_in, catalog.clone(), clock.clone(), wakeup);
        let (options, notify) = (self.options, self.notify);
        let mut engine = TestEngine {
            database,
            pool,
            catalog,
            client,
            clock,
            script,
            options,
            notify,
            workers: Vec::new(),
        };
        engine.calibrate().await;
        for _ in 0..self.workers {
            engine.add_worker().await;
        }
        engine
    }
}

impl TestEngine {
    /// An engine without workers, whose steps do their work and retry at once.
    pub(crate) fn builder() -> Builder {
        let options = WorkerOptions {
            capacity: 16,
            lease: Duration::from_secs(30),
            poll: Duration::from_millis(50),
            grace: Duration::from_secs(10),
            ..WorkerOptions::default()
        };
        let (policy, script) = (at_once(), Script::new());
        let (schema, catalog, server) = (Schema::Engine, None, None);
        Builder { workers: 0, notify: true, policy, options, script, schema, catalog, server }
    }
}
