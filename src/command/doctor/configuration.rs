//! Whether what the configuration file names exists.

use super::Findings;
use crate::{config::Config, nearest::did_you_mean, runtime};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use ticketflow_engine::Catalog;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    // Definitions hold a pool; looking at them does not use it.
    let pool = PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new());
    match runtime::unconfigured_catalog(pool) {
        Ok(catalog) => check_names(config, &catalog, findings),
        Err(error) => findings.bad(format!("{error:#}"), "install the program anew"),
    }
}

fn check_names(config: &Config, catalog: &Catalog, findings: &mut Findings) {
    let before = findings.0.len();
    for unknown in config.unknown_steps(catalog) {
        findings.bad(unknown, "correct the configuration file; until then nothing starts");
    }
    let queues = catalog.queues();
    for queue in config.file.worker.queues.iter().flatten() {
        if !queues.iter().any(|known| **known == **queue) {
            let meant = did_you_mean(queue, queues.iter().map(|known| &**known));
            findings.bad(
                format!("worker.queues in the configuration file: no workflow uses the queue {queue}{meant}"),
                "correct the configuration file; its workers find no work there",
            );
        }
    }
    if findings.0.len() == before {
        findings.good("the configuration names nothing that does not exist");
    }
}
