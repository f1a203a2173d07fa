//! What holds ready runs up: paused and full queues, and versions that no worker knows.

use super::Findings;
use crate::{config::Config, output::counted, runtime};
use sqlx::PgPool;
use ticketflow_engine::store::{
    limit::{self, Occupied},
    stats,
};

pub(super) async fn check(pool: &PgPool, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    for queue in limit::queues(&mut connection).await? {
        report(&queue, findings);
    }
    let queue = stats::queue(&mut connection).await?;
    match queue.unclaimable {
        0 => findings.good("every ready run has a worker that knows its workflow"),
        runs => {
            let known = runtime::catalog(config, pool.clone())?.advertised().join(", ");
            findings.bad(
                format!("no live worker knows the workflow version of {}", counted(runs, "ready run")),
                format!("start workers that know it; this program knows {known}"),
            );
        }
    }
    findings.good(format!(
        "{} ready (oldest {:.0} s), {} blocked, {} leased, {} sleeping, {} waiting, {} paused",
        queue.ready,
        queue.oldest_ready_seconds,
        queue.blocked,
        queue.leased,
        queue.sleeping,
        queue.waiting,
        queue.paused
    ));
    Ok(())
}

fn report(queue: &Occupied, findings: &mut Findings) {
    let Occupied { name, max_leased, leased, paused } = queue;
    let quoted = name.replace('\'', "''");
    if *paused {
        findings.bad(
            format!("the queue {name} is paused: it hands out no run"),
            format!("when the reason is gone: UPDATE queues SET paused = false WHERE name = '{quoted}'"),
        );
    }
    match max_leased {
        Some(limit) if queue.is_full() => findings.bad(
            format!("the queue {name} is at its limit: {leased} of {limit} runs are leased"),
            format!("wait, or raise it: UPDATE queues SET max_leased = … WHERE name = '{quoted}'"),
        ),
        Some(limit) => {
            findings.good(format!("the queue {name} is limited: {leased} of {limit} runs are leased"));
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::Verdict;

    fn said(max_leased: Option<i32>, leased: i32, paused: bool) -> Vec<(Verdict, String)> {
        let mut findings = Findings::default();
        report(&Occupied { name: "mail".to_owned(), max_leased, leased, paused }, &mut findings);
        findings.0.into_iter().map(|finding| (finding.verdict, finding.text)).collect()
    }

    #[test]
    fn a_queue_that_holds_runs_up_is_named() {
        assert_eq!(said(None, 0, false), []);
        let paused = said(None, 0, true);
        assert!(paused[0].0 == Verdict::Bad && paused[0].1.contains("mail is paused"), "{paused:?}");
        let full = said(Some(3), 3, false);
        assert!(full[0].0 == Verdict::Bad && full[0].1.contains("3 of 3"), "{full:?}");
        assert_eq!(said(Some(3), 2, false)[0].0, Verdict::Ok);
    }
}
