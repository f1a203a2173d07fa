//! Which workers are alive, and which only seem to be.

use super::Findings;
use crate::{
    config::{Config, WorkerArgs},
    output::counted,
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use std::time::Duration;
use ticketflow_engine::{
    WorkerId,
    store::{
        lease::{self, WorkerRow},
        stats,
    },
};

/// Of a worker that beats three times a lease, the least that is left of it, as a share; less is a beat missed.
const LEFT_AT_LEAST: f64 = 0.6;
/// A lease and when it ended at the first look.
type Seen = (WorkerId, DateTime<Utc>);

pub(super) async fn check(pool: &PgPool, config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let lease = config.worker(&WorkerArgs::default()).lease;
    let mut now = stats::now(&mut connection).await?;
    let mut workers = lease::list(&mut connection).await?;
    let suspects: Vec<Seen> =
        workers.iter().filter(|worker| is_short(worker, now, lease)).map(seen).collect();
    if !suspects.is_empty() {
        // A worker's own lease may be shorter than the one configured here: if so it beats within this time.
        tokio::time::sleep(lease / 3 + Duration::from_millis(200)).await;
        now = stats::now(&mut connection).await?;
        workers = lease::list(&mut connection).await?;
    }
    report(&workers, &suspects, now, findings);
    Ok(())
}

fn seen(worker: &WorkerRow) -> Seen {
    (worker.id, worker.expires_at)
}

fn is_short(worker: &WorkerRow, now: DateTime<Utc>, lease: Duration) -> bool {
    let left = (worker.expires_at - now).to_std().unwrap_or_default();
    worker.alive && left < lease.mul_f64(LEFT_AT_LEAST)
}

/// A suspect whose lease was not renewed since is late for certain.
fn report(workers: &[WorkerRow], suspects: &[Seen], now: DateTime<Utc>, findings: &mut Findings) {
    let mut alive = 0;
    for worker in workers {
        let (held, left) = (counted(worker.leased, "run"), worker.expires_at - now);
        if !worker.alive {
            findings.bad(
                format!("worker {} is dead: its lease ended {} ago with {held}", worker.name, shown(-left)),
                "start workers: they take its runs over",
            );
        } else if suspects.contains(&seen(worker)) {
            findings.bad(
                format!(
                    "worker {} may be dead: its heartbeat is late; it holds {held}, and its lease ends in {}",
                    worker.name,
                    shown(left)
                ),
                "look at its process; if it is gone, others take its runs over once the lease has ended",
            );
        } else {
            alive += 1;
            let capacity = worker.capacity;
            findings.good(format!(
                "worker {} is alive and {}: {held} of {capacity}, lease ends in {}",
                worker.name,
                worker.state,
                shown(left)
            ));
        }
    }
    if alive == 0 {
        findings.bad("no worker is alive for certain", "ticketflow worker (or ticketflow up)");
    }
}

fn shown(time: TimeDelta) -> String {
    format!("{} s", time.num_seconds().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::Verdict;

    fn worker(left: TimeDelta) -> WorkerRow {
        WorkerRow {
            id: WorkerId::from_uuid(uuid::Uuid::nil()),
            name: "w".to_owned(),
            queues: Vec::new(),
            definitions: Vec::new(),
            capacity: 8,
            state: "active".to_owned(),
            started_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH + left,
            alive: left > TimeDelta::zero(),
            leased: 1,
        }
    }

    fn said(worker: &WorkerRow, suspects: &[Seen]) -> (Verdict, String) {
        let mut findings = Findings::default();
        report(std::slice::from_ref(worker), suspects, DateTime::UNIX_EPOCH, &mut findings);
        (findings.0[0].verdict, findings.0[0].text.clone())
    }

    #[test]
    fn a_worker_that_did_not_renew_a_short_lease_may_be_dead() {
        let late = worker(TimeDelta::seconds(7));
        let (verdict, text) = said(&late, &[seen(&late)]);
        assert_eq!(verdict, Verdict::Bad);
        assert!(text.contains("may be dead") && text.contains("1 run,") && text.contains("in 7 s"), "{text}");
        let renewed = worker(TimeDelta::seconds(15));
        assert_eq!(said(&renewed, &[seen(&late)]).0, Verdict::Ok);
        let (verdict, text) = said(&worker(TimeDelta::seconds(-3)), &[]);
        assert!(verdict == Verdict::Bad && text.contains("ended 3 s ago"), "{text}");
    }

    #[test]
    fn only_a_live_worker_with_less_than_a_beat_should_leave_is_suspected() {
        let lease = Duration::from_secs(15);
        let suspected = |seconds| is_short(&worker(TimeDelta::seconds(seconds)), DateTime::UNIX_EPOCH, lease);
        assert!(suspected(5) && !suspected(10) && !suspected(60) && !suspected(-1));
    }
}
