//! `ticketflow migrate`: brings the schema up to date.

use crate::{
    config::Config,
    output::{counted, say},
    runtime::{self, Home},
};

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let home = Home::find_or_open(config).await?;
    let done = migrate(&home).await;
    home.close().await?;
    done
}

async fn migrate(home: &Home) -> anyhow::Result<()> {
    let pool = home.database.connect(2).await?;
    let pending = runtime::pending_migrations(&pool).await?;
    runtime::migrate(&pool).await?;
    say(&format!("{} applied; the schema is up to date", counted(pending, "migration")));
    Ok(())
}
