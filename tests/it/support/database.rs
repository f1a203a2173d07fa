//! A database for each test, copied from a template that was migrated once.

use super::{cluster, pgbouncer};
use sqlx::{Connection, Executor, PgConnection, PgPool, migrate::Migrator, postgres::PgPoolOptions};
use std::time::Duration;
use ticketflow_engine::{chain::Hash, clock::entropy, store::distribution};
use ticketflow_tickets::knowledge;

/// A test's database.
pub(crate) struct Database {
    server: String,
    /// The server as programs reach it.
    way_in: String,
    name: String,
}

/// Which tables a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// The engine's alone.
    Engine,
    /// The support desk's too, with the shipped articles.
    Desk,
}

/// Travels in time: the offset stands in a table, so that a test can move it.
const TEST_CLOCK: &str = "
    CREATE TABLE test_clock (ahead interval NOT NULL);
    INSERT INTO test_clock VALUES ('0');
    CREATE OR REPLACE FUNCTION engine_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
        RETURN statement_timestamp() + (SELECT ahead FROM test_clock)";

impl Schema {
    fn migrator(self) -> Migrator {
        let all = [&ticketflow_engine::MIGRATOR, &ticketflow_tickets::MIGRATOR];
        let parts = match self {
            Self::Engine => &all[..1],
            Self::Desk => &all[..],
        };
        Migrator::with_migrations(parts.iter().flat_map(|part| part.iter()).cloned().collect())
    }

    /// What such a database is made from, as the name of its template.
    fn template(self) -> String {
        let mut sources: Vec<u8> =
            self.migrator().iter().flat_map(|migration| migration.checksum.to_vec()).collect();
        sources.extend(TEST_CLOCK.as_bytes());
        if self == Self::Desk {
            let articles = knowledge::shipped_articles().unwrap();
            sources.extend(articles.iter().flat_map(|article| article.to_markdown().into_bytes()));
        }
        format!("template_{}", &Hash::of(&sources).to_string()[..16])
    }

    fn parts(self) -> Vec<distribution::Schema> {
        match self {
            Self::Engine => vec![distribution::SCHEMA],
            Self::Desk => vec![distribution::SCHEMA, ticketflow_tickets::distribution::SCHEMA],
        }
    }

    /// Fills a database of a Citus cluster, and spreads it.
    async fn fill_distributed(self, url: &str) {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute("CREATE EXTENSION citus").await.unwrap();
        self.fill(url).await;
        connection.execute("SELECT create_reference_table('test_clock')").await.unwrap();
        distribution::distribute(&mut connection, &self.parts()).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn fill(self, url: &str) {
        let mut connection = PgConnection::connect(url).await.unwrap();
        self.migrator().run(&mut connection).await.unwrap();
        connection.execute(TEST_CLOCK).await.unwrap();
        if self == Self::Desk {
            knowledge::seed(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }
}

impl Database {
    /// A fresh database on the shared server.
    pub(crate) async fn create(schema: Schema) -> Self {
        Self::create_on(tokio::task::spawn_blocking(cluster::shared_url).await.unwrap(), schema).await
    }

    /// A fresh database on some server.
    pub(crate) async fn create_on(server: String, schema: Schema) -> Self {
        if is_distributed() {
            // A template's shards are not copied with it.
            let database = Self::empty_on(server).await;
            schema.fill_distributed(&database.url()).await;
            return database;
        }
        let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
        let template = template(&server, &mut admin, schema).await;
        let name = format!("test_{:032x}", u128::from_be_bytes(entropy()));
        admin
            .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}")))
            .await
            .unwrap();
        admin.close().await.unwrap();
        Self { way_in: pgbouncer::way_to(&server).await, server, name }
    }

    /// A database without any table.
    pub(crate) async fn empty() -> Self {
        Self::empty_on(tokio::task::spawn_blocking(cluster::shared_url).await.unwrap()).await
    }

    /// The same on some server.
    pub(crate) async fn empty_on(server: String) -> Self {
        let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
        let name = format!("test_{:032x}", u128::from_be_bytes(entropy()));
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        admin.close().await.unwrap();
        Self { way_in: pgbouncer::way_to(&server).await, server, name }
    }

    /// A database on the first of several servers, which are to follow each other.
    pub(crate) async fn empty_on_hosts(servers: [String; 2]) -> Self {
        let [first, second] = servers;
        let second = second.rsplit('@').next().unwrap();
        Self { way_in: format!("{first},{second}"), ..Self::empty_on(first).await }
    }

    /// It is on another server by now.
    pub(crate) fn moved_to(&mut self, server: String) {
        self.server = server;
    }

    /// Its URL, past any pooler.
    pub(crate) fn direct_url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Its URL as programs are told it.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.way_in, self.name)
    }

    /// A pool of connections to it, past any pooler.
    pub(crate) async fn direct_pool(&self) -> PgPool {
        pool_options().connect(&self.direct_url()).await.unwrap()
    }

    /// A pool of connections to it as programs have it.
    pub(crate) async fn pool(&self) -> PgPool {
        connect(&self.url()).await
    }

    /// How often statements waited for each other in a circle. A connection's counts are published when it ends.
    pub(crate) async fn deadlocks(&self) -> i64 {
        let mut admin = PgConnection::connect(&format!("{}/postgres", self.server)).await.unwrap();
        sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = $1")
            .bind(&self.name)
            .fetch_one(&mut admin)
            .await
            .unwrap()
    }

    /// Removes it, if it can be.
    pub(crate) async fn drop(self) {
        if let Ok(mut admin) = PgConnection::connect(&format!("{}/postgres", self.server)).await {
            let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            drop(admin.execute(sqlx::AssertSqlSafe(statement)).await);
        }
    }
}

fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new().max_connections(20).acquire_timeout(Duration::from_secs(20))
}

/// Whether the server is a Citus, and databases are to be spread over it.
pub(crate) fn is_distributed() -> bool {
    std::env::var_os("TICKETFLOW_TEST_DISTRIBUTED").is_some()
}

/// A pool as programs have it.
pub(crate) async fn connect(url: &str) -> PgPool {
    let pooler = pgbouncer::pooler();
    let options = pooler.connect_options(url.parse().unwrap());
    pooler.pool_options(pool_options(), |_| false).connect_with(options).await.unwrap()
}

/// The filled template; whoever comes first makes it, under a lock of the server.
async fn template(server: &str, admin: &mut PgConnection, schema: Schema) -> String {
    let name = schema.template();
    admin.execute("SELECT pg_advisory_lock(4815162342)").await.unwrap();
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut *admin)
        .await
        .unwrap();
    if !known {
        let unfinished = format!("{name}_unfinished");
        let drop_it = format!("DROP DATABASE IF EXISTS {unfinished}");
        admin.execute(sqlx::AssertSqlSafe(drop_it)).await.unwrap();
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {unfinished}"))).await.unwrap();
        schema.fill(&format!("{server}/{unfinished}")).await;
        let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
        admin.execute(sqlx::AssertSqlSafe(rename)).await.unwrap();
    }
    admin.execute("SELECT pg_advisory_unlock(4815162342)").await.unwrap();
    name
}
