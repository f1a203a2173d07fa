//! `ticketflow migrate`: brings the schema up to date, and spreads it over a Citus cluster.

use crate::{
    config::Config,
    exit::Exit,
    output::{counted, say},
    runtime::Home,
    schema,
};
use sqlx::PgPool;
use ticketflow_engine::{
    Topology,
    store::distribution::{self, DistributeError},
};

/// What to do if Citus is not there.
const NO_CITUS: &str = "this database has no Citus, so there are no nodes to distribute its tables over. Install Citus \
                        on every node, put citus in shared_preload_libraries, run CREATE EXTENSION citus in this \
                        database, add the nodes with citus_add_node, then repeat this (docs/scaling.md). On one \
                        PostgreSQL nothing has to be distributed: leave topology = \"single\"";

/// Flags of `migrate`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct MigrateArgs {
    /// Spread the tables over the nodes of a Citus cluster, while nothing else uses them
    #[arg(long)]
    distribute: bool,
}

pub(crate) async fn run(args: &MigrateArgs, config: &Config) -> anyhow::Result<()> {
    let home = Home::find_or_open(config).await?;
    let done = migrate(args, config, &home).await;
    home.close().await?;
    done
}

async fn migrate(args: &MigrateArgs, config: &Config, home: &Home) -> anyhow::Result<()> {
    let before = schema::migrate(&home.database).await?;
    let ahead = match before.unknown {
        0 => String::new(),
        unknown => format!(", and ahead of this release by {}", counted(unknown, "migration")),
    };
    say(&format!("{} applied; the schema is up to date{ahead}", counted(before.pending, "migration")));
    if args.distribute {
        distribute(&home.database.direct()?.connect(2).await?.pool, config.topology()).await?;
    }
    Ok(())
}

async fn distribute(pool: &PgPool, topology: Topology) -> anyhow::Result<()> {
    let parts = [distribution::SCHEMA, ticketflow_tickets::distribution::SCHEMA];
    let mut connection = pool.acquire().await?;
    let done = match distribution::distribute(&mut connection, &parts).await {
        Err(DistributeError::NoCitus) => return Err(Exit::Failed.with(NO_CITUS)),
        done => done?,
    };
    say(&format!("{} distributed; all of them are", counted(done, "table")));
    if topology == Topology::Single {
        say("before anything is started on it, set topology = \"citus\" under [database] in ticketflow.toml");
    }
    Ok(())
}
