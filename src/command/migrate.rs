//! `ticketflow migrate`: brings the schema up to date.

use crate::{
    config::Config,
    output::{counted, say},
    runtime::Home,
    schema,
};

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let home = Home::find_or_open(config).await?;
    let done = migrate(&home).await;
    home.close().await?;
    done
}

async fn migrate(home: &Home) -> anyhow::Result<()> {
    let before = schema::migrate(&home.database).await?;
    let ahead = match before.unknown {
        0 => String::new(),
        unknown => format!(", and ahead of this release by {}", counted(unknown, "migration")),
    };
    say(&format!("{} applied; the schema is up to date{ahead}", counted(before.pending, "migration")));
    Ok(())
}
