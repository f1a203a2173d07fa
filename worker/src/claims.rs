//! The claim loop: takes as many ready runs as there are free places and sets an executor on each.
//!
//! A wake-up makes it look at once; the poll, ever slower while nothing happens, is what correctness rests on.

use crate::{
    Shutdown,
    bookmark::Bookmark,
    pacing::{self, CLAIM_CAP, FIRST_PAUSE, Look, PACE, SETTINGS_FOR},
    session::{Session, reconnect_delay},
};
use chrono::{DateTime, Utc};
use sqlx::Connection;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};
use ticketflow_engine::{
    StoreError, Topology,
    clock::random_fraction,
    executor::{DEADLINE_GRACE, Ended, ExecutorError},
    loan::Line,
    store::{
        claim::{self, ClaimRequest, Claimed, LeasedRun, Place},
        limit,
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// Most due times that are kept in mind. Those after them are left to the poll.
const TIMERS_CAP: usize = 10_000;

pub(crate) struct Claims {
    session: Arc<Session>,
    line: Line,
    shutdown: Shutdown,
    places: Arc<Semaphore>,
    running: TaskTracker,
    timers: Timers,
    /// In the order in which they are asked next.
    queues: Vec<String>,
    definitions: Vec<String>,
    keyed: Vec<String>,
    /// By queue.
    bookmarks: BTreeMap<String, Bookmark>,
    settings: BTreeMap<String, limit::QueueSettings>,
    settings_until: Option<Instant>,
}

/// When runs that this process parked are due, the next of them, so that its poll comes in time.
#[derive(Debug, Clone, Default)]
struct Timers {
    due: Arc<Mutex<BTreeSet<DateTime<Utc>>>>,
}

impl Timers {
    fn add(&self, due: DateTime<Utc>) {
        let mut all = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(due);
        if all.len() > TIMERS_CAP {
            all.pop_last();
        }
    }

    /// Time to the next, forgetting those that have passed.
    fn next(&self, now: DateTime<Utc>) -> Option<Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        while due.first().is_some_and(|at| *at <= now) {
            due.pop_first();
        }
        due.first().and_then(|at| (*at - now).to_std().ok())
    }
}

impl Claims {
    pub(crate) fn new(session: Arc<Session>, shutdown: Shutdown) -> Self {
        Self {
            places: Arc::new(Semaphore::new(session.options.capacity)),
            definitions: session.client.catalog().advertised(),
            keyed: session.client.catalog().keyed(),
            queues: session.options.queues.clone(),
            line: Line::new(session.client.pool().clone()),
            session,
            shutdown,
            running: TaskTracker::new(),
            timers: Timers::default(),
            bookmarks: BTreeMap::new(),
            settings: BTreeMap::new(),
            settings_until: None,
        }
    }

    /// Claims until told to stop or declared dead; returns the executors that still run.
    pub(crate) async fn run(mut self) -> TaskTracker {
        let mut quiet = FIRST_PAUSE;
        let mut failures = 0;
        while !self.is_over() {
            // Subscribed before looking: a wake-up in between is not lost.
            let wakeup = self.session.client.wakeup().clone();
            let woken = wakeup.woken();
            let fence = self.session.fence.clone();
            let found = fence.while_open(self.look()).await;
            match found.unwrap_or_else(|| Err(StoreError::unanswered("claim runs"))) {
                Ok(Look::Nothing) => {
                    failures = 0;
                    self.rest(woken, quiet).await;
                    quiet = pacing::slower(quiet, self.session.options.poll);
                }
                // It took all there was: looking again at once would find nothing.
                Ok(Look::Some) => {
                    failures = 0;
                    quiet = FIRST_PAUSE;
                    self.rest(woken, quiet).await;
                }
                Ok(Look::Full) => {
                    failures = 0;
                    quiet = FIRST_PAUSE;
                    self.pace().await;
                }
                Err(error) => {
                    failures += 1;
                    self.session.held.claim_lost();
                    self.session.client.wakeup().set_idle_capacity(0);
                    tracing::warn!(error = &error as &dyn std::error::Error, failures, "no claim");
                    self.rest(woken, reconnect_delay(failures)).await;
                }
            }
        }
        self.running
    }

    fn is_over(&self) -> bool {
        self.shutdown.stop.is_cancelled() || self.session.fence.is_closed()
    }

    /// Claims from each queue once, beginning with another each time, so that none has to wait for those before it.
    async fn look(&mut self) -> Result<Look, StoreError> {
        if !self.session.fence.is_open(Instant::now()) {
            self.session.client.wakeup().set_idle_capacity(0);
            return Ok(Look::Nothing);
        }
        self.refresh_settings().await?;
        let mut found = Look::Nothing;
        let next = 1.min(self.queues.len());
        self.queues.rotate_left(next);
        for position in 0..self.queues.len() {
            let free = self.places.available_permits().min(CLAIM_CAP);
            if free == 0 {
                found = Look::Full;
                break;
            }
            let claimed = self.claim_from(position, free).await?;
            found = found.max(Look::of(claimed.runs.len(), claimed.set_aside, free));
            for run in claimed.runs {
                self.start(run);
            }
        }
        self.session.client.wakeup().set_idle_capacity(self.places.available_permits());
        Ok(found)
    }

    async fn claim_from(&mut self, position: usize, free: usize) -> Result<Claimed, StoreError> {
        let queue = &self.queues[position];
        let began = Instant::now();
        let from = self.bookmarks.get(queue).map_or(Place::FIRST, |bookmark| bookmark.from(began));
        let claimed = self.claim(queue, from, free).await?;
        let now = Instant::now();
        let bookmark = self.bookmarks.entry(queue.clone()).or_default();
        bookmark.note(from, &claimed.runs, now - began, now);
        Ok(claimed)
    }

    async fn claim(&self, queue: &str, from: Place, free: usize) -> Result<Claimed, StoreError> {
        let client = &self.session.client;
        let request = ClaimRequest {
            worker: self.session.id,
            queue,
            definitions: &self.definitions,
            from,
            limit: i64::try_from(free).unwrap_or(i64::MAX),
            deadline: client.catalog().longest_timeout() + DEADLINE_GRACE,
            keyed: &self.keyed,
        };
        let settings = self.settings.get(queue);
        if settings.is_some_and(|settings| settings.paused) {
            return Ok(Claimed::default());
        }
        let is_limited = settings.is_some_and(|settings| settings.max_leased.is_some());
        let mut connection = self.line.loan().await?;
        let claimed = match (client.topology(), is_limited) {
            (Topology::Single, false) => claim::claim(&mut connection, &request).await?,
            (Topology::Single, true) => {
                let begun = connection.begin().await;
                let mut transaction = begun.map_err(StoreError::database("begin a claim"))?;
                let claimed = claim::claim_limited(&mut transaction, &request).await?;
                transaction.commit().await.map_err(StoreError::database("commit a claim"))?;
                claimed
            }
            (Topology::Citus, false) => claim::claim_by_bucket(&mut connection, &request).await?,
            // Said when the settings were read.
            (Topology::Citus, true) => Claimed::default(),
        };
        self.line.keep(connection).await?;
        Ok(claimed)
    }

    async fn refresh_settings(&mut self) -> Result<(), StoreError> {
        if self.settings_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let mut connection = self.line.loan().await?;
        let found = limit::surroundings(&mut connection, &self.queues, &self.definitions).await?;
        self.line.keep(connection).await?;
        if self.session.client.topology() == Topology::Citus {
            for queue in found.queues.values().filter(|queue| queue.max_leased.is_some()) {
                tracing::error!(
                    queue = queue.name,
                    "it has a limit, which Citus cannot keep: it hands out no run"
                );
            }
        }
        self.session.fleet.store(found.fleet, Ordering::Release);
        self.settings = found.queues;
        self.settings_until = Some(Instant::now() + SETTINGS_FOR);
        Ok(())
    }

    fn start(&self, run: LeasedRun) {
        // Only this loop takes places, and it claimed no more than were free.
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            self.session.held.drop_run(run.id, run.epoch);
            return;
        };
        let abort = self.shutdown.abort.child_token();
        self.session.held.start(run.id, run.epoch, abort.clone());
        let shutdown = Shutdown { stop: self.shutdown.stop.clone(), abort };
        let (session, timers) = (self.session.clone(), self.timers.clone());
        self.running.spawn(async move { advance(&session, run, &shutdown, &timers, place).await });
    }

    /// Waits for a wake-up, a timer, the poll or the end.
    async fn rest(&self, woken: impl Future<Output = ()>, longest: Duration) {
        let jittered = pacing::jittered(longest, random_fraction());
        let timer = self.timers.next(self.session.client.clock().now());
        let pause = timer.map_or(jittered, |timer| timer.min(jittered)).max(Duration::from_millis(1));
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(pause) => {}
            () = self.shutdown.stop.cancelled() => {}
            () = self.session.fence.closed() => {}
        }
    }

    /// Waits until a quarter of the places is free, or a little while.
    async fn pace(&self) {
        let wanted = u32::try_from(pacing::worth_a_claim(self.session.options.capacity)).unwrap_or(1);
        let enough = async { drop(self.places.acquire_many(wanted).await) };
        drop(tokio::time::timeout(PACE, enough).await);
        // With no place at all there is nothing to claim for.
        tokio::select! {
            place = self.places.acquire() => drop(place),
            () = self.shutdown.stop.cancelled() => {}
            () = self.session.fence.closed() => {}
        }
    }
}

async fn advance(
    session: &Session,
    run: LeasedRun,
    shutdown: &Shutdown,
    timers: &Timers,
    place: OwnedSemaphorePermit,
) {
    let (id, epoch) = (run.id, run.epoch);
    let ended = tokio::select! {
        biased;
        ended = session.executor.run(run, &shutdown.stop, &shutdown.abort) => ended,
        // Even where it waits for the database, which may never answer.
        () = session.fence.closed() => Ok(Ended::Fenced),
    };
    match ended {
        Ok(Ended::Closed | Ended::Stuck) => session.held.end(id, epoch),
        Ok(Ended::Parked { wake_at }) => {
            session.held.end(id, epoch);
            wake_at.into_iter().for_each(|due| timers.add(due));
        }
        Ok(Ended::Fenced) => session.held.drop_run(id, epoch),
        Ok(Ended::Interrupted) => {
            session.held.drop_run(id, epoch);
            if !shutdown.stop.is_cancelled() {
                // Boxed, for it is large, and every run in hand would carry it along.
                let handed_back = Box::pin(session.hand_back_dropped()).await;
                crate::session::log_failure(handed_back, "a run was not handed back yet");
            }
        }
        Err(error @ ExecutorError::Illegal(_)) => {
            // Handed back it would come again at once; its deadline brings it back at a pace that harms nobody.
            tracing::error!(run.id = %id, error = &error as &dyn std::error::Error, "a run's log is not a history");
            session.held.end(id, epoch);
        }
        Err(error @ ExecutorError::Store(_)) => {
            tracing::error!(run.id = %id, error = &error as &dyn std::error::Error, "a run cannot be advanced");
            session.held.drop_run(id, epoch);
        }
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn the_timers_kept_are_the_next_ones() {
        let timers = Timers::default();
        let now = DateTime::UNIX_EPOCH;
        for seconds in (1..=20_000).rev() {
            timers.add(now + TimeDelta::seconds(seconds));
        }
        assert_eq!(timers.due.lock().unwrap().len(), TIMERS_CAP);
        assert_eq!(timers.next(now), Some(Duration::from_secs(1)));
        assert_eq!(timers.next(now + TimeDelta::seconds(1)), Some(Duration::from_secs(1)));
        assert_eq!(timers.next(now + TimeDelta::seconds(20_000)), None);
    }
}
