//! What is kept of calls, for all processes: answers, costs, breakers. Before a call a ledger that cannot be read stops the
//! step; after it, one that cannot be written is no reason to throw an answer away.

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Connection as _, PgConnection, PgPool};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use ticketflow_engine::{RunId, StoreError, loan::Loan};
use ticketflow_tickets::model::{
    BreakerPolicy, Observation, RequestHash, StoredAnswer, Usage, answer,
    breaker::{self, Breaker, Permission, Seen},
    usage::{self, Asked},
};

/// Answers that are kept between two sweeps of a bucket: all buckets are swept in turn.
const SWEEP_EVERY: u64 = 64;
/// Buckets there are.
const BUCKETS: u64 = 256;

/// The tables; clones count together.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pool: PgPool,
    kept: Arc<AtomicU64>,
}

/// What is spent, in billionths of a dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) by_day: i64,
    pub(super) by_run: i64,
}

/// What is known before a call.
pub(super) struct Standing<T> {
    /// An answer that was paid for already.
    pub(super) answer: Option<StoredAnswer<T>>,
    pub(super) breaker: Seen,
    pub(super) spent: Spent,
}

/// A call that is over.
#[derive(Debug)]
pub(super) struct Entry<'a, T> {
    pub(super) asked: Asked<'a>,
    pub(super) usage: Usage,
    /// What the breaker is to hear of it.
    pub(super) observation: Option<Observation>,
    pub(super) answer: Option<(RunId, RequestHash, &'a StoredAnswer<T>)>,
}

impl Ledger {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Arc::default() }
    }

    /// Looks everything up that a call depends on; what is spent, only if there are budgets.
    pub(super) async fn standing<T: DeserializeOwned>(
        &self,
        asked: Asked<'_>,
        run: RunId,
        request: RequestHash,
        now: DateTime<Utc>,
        with_budgets: bool,
    ) -> Result<Standing<T>, StoreError> {
        let mut loan = Loan::of(&self.pool).await?;
        let answer = answer::find(&mut loan, run, request).await?;
        let breaker = breaker::load(&mut loan, asked.provider, asked.model).await?;
        let spent = if with_budgets { spent(&mut loan, asked, run, now).await? } else { Spent::default() };
        loan.give_back().await?;
        Ok(Standing { answer, breaker, spent })
    }

    /// What is spent by now.
    pub(super) async fn spent(
        &self,
        asked: Asked<'_>,
        run: RunId,
        now: DateTime<Utc>,
    ) -> Result<Spent, StoreError> {
        let mut loan = Loan::of(&self.pool).await?;
        let spent = spent(&mut loan, asked, run, now).await?;
        loan.give_back().await?;
        Ok(spent)
    }

    /// Whether this process may make the one call that tries a model again.
    pub(super) async fn may_try(
        &self,
        asked: Asked<'_>,
        seen: Seen,
        half_open: Breaker,
    ) -> Result<bool, StoreError> {
        let mut loan = Loan::of(&self.pool).await?;
        let ours = breaker::try_once(&mut loan, asked.provider, asked.model, seen, half_open).await?;
        loan.give_back().await?;
        Ok(ours)
    }

    /// Writes a call down.
    pub(super) async fn write<T: Serialize + Sync>(
        &self,
        entry: Entry<'_, T>,
        now: DateTime<Utc>,
        policy: BreakerPolicy,
    ) {
        if let Err(error) = self.try_write(&entry, now, policy).await {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(provider = entry.asked.provider, error, "a call of a model was not written down");
        }
    }

    async fn try_write<T: Serialize + Sync>(
        &self,
        entry: &Entry<'_, T>,
        now: DateTime<Utc>,
        policy: BreakerPolicy,
    ) -> Result<(), StoreError> {
        let asked = entry.asked;
        let mut loan = Loan::of(&self.pool).await?;
        // What is kept is counted, also when the step is broken off in between.
        let mut both = loan.begin().await.map_err(StoreError::database("begin to write a call down"))?;
        if let Some((run, request, stored)) = entry.answer {
            answer::keep(&mut both, run, request, stored, now).await?;
        }
        usage::add(&mut both, asked, entry.usage, now).await?;
        both.commit().await.map_err(StoreError::database("write a call down"))?;
        if let Some(bucket) = entry.answer.and_then(|_| self.bucket_to_sweep()) {
            answer::sweep(&mut loan, bucket, now).await?;
        }
        let mut change = None;
        if let Some(observation) = entry.observation {
            change =
                breaker::observe(&mut loan, asked.provider, asked.model, observation, now, policy).await?;
        }
        loan.give_back().await?;
        if let Some((before, after)) = change.filter(|(before, after)| before.word() != after.word()) {
            let (before, after) = (before.word(), after.word());
            tracing::warn!(provider = asked.provider, model = asked.model, before, after, "a breaker moved");
        }
        Ok(())
    }

    fn bucket_to_sweep(&self) -> Option<u8> {
        let kept = self.kept.fetch_add(1, Ordering::Relaxed);
        kept.is_multiple_of(SWEEP_EVERY)
            .then(|| u8::try_from(kept / SWEEP_EVERY % BUCKETS).unwrap_or_default())
    }
}

async fn spent(
    connection: &mut PgConnection,
    asked: Asked<'_>,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Spent, StoreError> {
    let by_day = usage::charged(connection, asked.provider, now).await?;
    let by_run = answer::charged(connection, run).await?;
    Ok(Spent { by_day, by_run })
}

/// Whether a call may be made as far as the breaker goes.
pub(super) fn permission(seen: Seen, now: DateTime<Utc>, policy: BreakerPolicy) -> Permission {
    seen.breaker.permission(now, policy)
}
