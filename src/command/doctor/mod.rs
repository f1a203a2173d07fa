//! `ticketflow doctor`: looks at the installation and says what to do about what it finds.

mod configuration;
mod database;
mod queues;
mod workers;

use crate::{
    config::Config,
    exit::Exit,
    http::Api,
    output::{self, Format, counted, out},
    runtime::{self, Home},
};
use serde::Serialize;
use sqlx::PgPool;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Bad,
}

/// Something the doctor looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    verdict: Verdict,
    text: String,
    /// What to do about it.
    fix: Option<String>,
}

/// Everything found, in order.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, text: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Ok, text: text.into(), fix: None });
    }

    fn bad(&mut self, text: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { verdict: Verdict::Bad, text: text.into(), fix: Some(fix.into()) });
    }

    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return out(&serde_json::to_string_pretty(&self.0)?);
        }
        self.0.iter().try_for_each(|finding| match (finding.verdict, &finding.fix) {
            (Verdict::Ok, _) => out(&format!("ok    {}", finding.text)),
            (Verdict::Bad, fix) => {
                out(&format!("BAD   {}\n      fix: {}", finding.text, fix.as_deref().unwrap_or("unknown")))
            }
        })
    }

    fn verdict(&self) -> anyhow::Result<()> {
        match self.0.iter().filter(|finding| finding.verdict == Verdict::Bad).count() {
            0 => Ok(()),
            bad => Err(Exit::Failed.with(format!("{} to mend", counted(bad, "thing")))),
        }
    }
}

pub(crate) async fn run(config: &Config, api: &Api, format: Option<Format>) -> anyhow::Result<()> {
    let json = output::as_json("doctor", false, format)?;
    let mut findings = Findings::default();
    configuration::check(config, &mut findings);
    let health = api.text("/health").await;
    match Home::find(config) {
        Ok(database) => match database.connect(2).await {
            Ok(connected) => check(&connected.pool, config, &mut findings).await,
            Err(error) => findings.bad(format!("{error:#}"), "start the server, or correct DATABASE_URL"),
        },
        Err(error) if health.is_ok() => findings.bad(error.to_string(), same_database()),
        Err(error) => findings.bad(error.to_string(), "ticketflow up"),
    }
    match health {
        Ok(_) => findings.good(format!("the API at {} is healthy", config.args.url)),
        Err(error) => findings.bad(format!("{error:#}"), "ticketflow up, or ticketflow api"),
    }
    findings.print(json)?;
    findings.verdict()
}

/// What to do where an API answers: it has a database, only not the one that was looked for.
fn same_database() -> String {
    let hint = runtime::demo_hint();
    format!("name the database of the API that answers: the same --data-dir or DATABASE_URL as it has{hint}")
}

/// Whatever keeps the doctor from looking further is a finding too.
async fn check(pool: &PgPool, config: &Config, findings: &mut Findings) {
    let looked = async {
        if database::check(pool, findings).await? {
            workers::check(pool, config, findings).await?;
            queues::check(pool, config, findings).await?;
        }
        anyhow::Ok(())
    };
    if let Err(error) = looked.await {
        findings.bad(format!("the database could not be examined: {error:#}"), "look at the server's log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_finding_fails_the_examination() {
        let mut findings = Findings::default();
        findings.good("fine");
        assert!(findings.verdict().is_ok());
        findings.bad("broken", "mend it");
        assert_eq!(findings.verdict().unwrap_err().to_string(), "1 thing to mend");
    }
}
