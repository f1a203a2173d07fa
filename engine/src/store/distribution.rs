//! Spreading tables over the nodes of a Citus cluster, and whether that was done.
//!
//! Everything a run has lies on the node of its bucket. What is small and shared is copied to every node.

use crate::error::StoreError;
use sqlx::PgConnection;
use thiserror::Error;

/// Tables and functions of one owner, as Citus is to know them.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Functions that statements, triggers and generated columns call.
    pub functions: &'static [&'static str],
    /// Tables of which every node has a copy.
    pub reference: &'static [&'static str],
    /// Tables whose rows lie with their bucket.
    pub distributed: &'static [&'static str],
}

/// The table that all others are placed with.
const ANCHOR: &str = "live_runs";

/// The engine's part.
pub const SCHEMA: Schema = Schema {
    functions: &[
        "engine_now()",
        "payload_digest(json)",
        "event_hash(bytea, uuid, integer, bigint, text, text, integer, text, integer, timestamptz, bytea)",
        "uuid_at(timestamptz)",
        "refuse_log_change()",
        "refuse_log_truncation()",
    ],
    reference: &["workers", "queues", "concurrency_keys", "schedules", "retirements"],
    distributed: &[ANCHOR, "runs", "run_events", "signals", "idempotency"],
};

/// Why tables were not distributed.
#[derive(Debug, Error)]
pub enum DistributeError {
    /// The database knows no Citus.
    #[error("the extension citus is not installed in this database")]
    NoCitus,
    /// A node was not told to let triggers be.
    #[error("a node does not let the log be guarded by triggers: {0}")]
    Node(String),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether the runs are spread over a cluster.
///
/// # Errors
/// If the database is out of reach.
pub async fn is_distributed(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(has_citus(connection).await? && is_known(connection, ANCHOR).await?)
}

/// Distributes what is not distributed yet: safe to repeat, also after half of it was done. No process may use the
/// tables meanwhile. Returns how many tables it did.
///
/// # Errors
/// If this is no Citus, or the database did not do it; what was done before stays done.
pub async fn distribute(connection: &mut PgConnection, parts: &[Schema]) -> Result<usize, DistributeError> {
    if !has_citus(connection).await? {
        return Err(DistributeError::NoCitus);
    }
    allow_triggers(connection).await?;
    for function in parts.iter().flat_map(|part| part.functions) {
        tell(connection, "SELECT create_distributed_function($1::text::regprocedure)", function).await?;
    }
    let mut done = 0;
    for table in parts.iter().flat_map(|part| part.reference) {
        if !is_known(connection, table).await? {
            tell(connection, "SELECT create_reference_table($1::text::regclass)", table).await?;
            done += 1;
        }
    }
    for table in parts.iter().flat_map(|part| part.distributed) {
        if !is_known(connection, table).await? {
            tell(connection, place(table), table).await?;
            done += 1;
        }
    }
    Ok(done)
}

fn place(table: &str) -> &'static str {
    if table == ANCHOR {
        "SELECT create_distributed_table($1::text::regclass, 'bucket', colocate_with => 'none')"
    } else {
        "SELECT create_distributed_table($1::text::regclass, 'bucket', colocate_with => 'live_runs')"
    }
}

/// The log's triggers look at nothing but the row they are fired for, which is all that makes a trigger safe on a shard.
/// New partitions of the log get theirs from later sessions, so that every node has to know.
async fn allow_triggers(connection: &mut PgConnection) -> Result<(), DistributeError> {
    let failed = || StoreError::database("let the log's triggers be");
    let set = sqlx::query("SET citus.enable_unsafe_triggers = on").execute(&mut *connection).await;
    set.map_err(failed())?;
    let nodes: Vec<(bool, String)> = sqlx::query_as(
        "SELECT success, result FROM run_command_on_all_nodes(
             format('ALTER DATABASE %I SET citus.enable_unsafe_triggers = on', current_database())
         )",
    )
    .fetch_all(connection)
    .await
    .map_err(failed())?;
    match nodes.into_iter().find(|(success, _)| !success) {
        Some((_, problem)) => Err(DistributeError::Node(problem)),
        None => Ok(()),
    }
}

async fn has_citus(connection: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("look for Citus"))
}

/// Whether Citus has this table in its books.
async fn is_known(connection: &mut PgConnection, table: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass($1))")
        .bind(table)
        .fetch_one(connection)
        .await
        .map_err(StoreError::database("look how tables are distributed"))
}

async fn tell(connection: &mut PgConnection, statement: &'static str, what: &str) -> Result<(), StoreError> {
    tracing::info!(what, "distributing");
    let told = sqlx::query(statement).bind(what).execute(connection).await;
    told.map(drop).map_err(StoreError::database("distribute a table or function"))
}
