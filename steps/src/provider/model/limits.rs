//! How fast a process asks a provider: calls at once, calls and tokens in a minute. Each process has limits of its own.

use super::settings::ProviderSettings;
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout_at},
};

/// How long a step waits for its turn with a worker's slot in hand; longer, and it sleeps.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause of a step that waited in vain for others' calls to end.
const CROWDED: Duration = Duration::from_secs(2);

/// The limits of one provider.
#[derive(Debug)]
pub(super) struct Limits {
    calls: Arc<Semaphore>,
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
}

/// Whether it is a step's turn.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is, for as long as this is held.
    Now(OwnedSemaphorePermit),
    /// Not before that time has passed.
    After(Duration),
}

impl Limits {
    pub(super) fn of(settings: &ProviderSettings) -> Self {
        let limiter = |per_minute| RateLimiter::direct(Quota::per_minute(per_minute));
        Self {
            calls: Arc::new(Semaphore::new(settings.concurrency)),
            requests: settings.requests_per_minute.map(limiter),
            tokens: settings.tokens_per_minute.map(|most| (limiter(most), most)),
        }
    }

    /// Waits for a turn to send and ask for about so many tokens.
    pub(super) async fn turn(&self, tokens: u64) -> Turn {
        let patience = Instant::now() + PATIENCE;
        let Ok(Ok(permit)) = timeout_at(patience, self.calls.clone().acquire_owned()).await else {
            return Turn::After(CROWDED);
        };
        let mut request_counted = false;
        while let Some(wait) = self.wait(tokens, &mut request_counted) {
            if Instant::now() + wait > patience {
                return Turn::After(wait);
            }
            sleep(wait).await;
        }
        Turn::Now(permit)
    }

    /// How long to wait before a call; none: it counts from now on.
    fn wait(&self, tokens: u64, request_counted: &mut bool) -> Option<Duration> {
        let clock = DefaultClock::default();
        // The request first: where requests are what is short, those who wait for one must not use tokens up.
        if let Some(requests) = self.requests.as_ref().filter(|_| !*request_counted)
            && let Err(later) = requests.check()
        {
            return Some(later.wait_time_from(clock.now()));
        }
        *request_counted = true;
        if let Some((limiter, most)) = self.tokens.as_ref() {
            // More than a minute's worth would never be let through.
            let wanted =
                u32::try_from(tokens).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN).min(*most);
            if let Ok(Err(later)) = limiter.check_n(wanted) {
                return Some(later.wait_time_from(clock.now()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(change: impl FnOnce(&mut ProviderSettings)) -> Limits {
        let mut settings = ProviderSettings::at("http://localhost");
        change(&mut settings);
        Limits::of(&settings)
    }

    #[tokio::test]
    async fn calls_past_those_of_a_minute_are_put_off_for_about_as_long_as_it_takes() {
        let limits = limits(|settings| settings.requests_per_minute = NonZeroU32::new(2));
        assert!(matches!(limits.turn(1).await, Turn::Now(_)));
        assert!(matches!(limits.turn(1).await, Turn::Now(_)));
        let Turn::After(wait) = limits.turn(1).await else { panic!("a third call within the minute") };
        assert!((20..=30).contains(&wait.as_secs()), "{wait:?}");
    }

    #[tokio::test]
    async fn tokens_count_and_a_request_larger_than_a_minute_takes_a_whole_one() {
        let limits = limits(|settings| settings.tokens_per_minute = NonZeroU32::new(1_000));
        assert!(matches!(limits.turn(900).await, Turn::Now(_)));
        assert!(matches!(limits.turn(900).await, Turn::After(wait) if wait.as_secs() >= 40));
        let fresh = self::limits(|settings| settings.tokens_per_minute = NonZeroU32::new(1_000));
        assert!(matches!(fresh.turn(u64::MAX).await, Turn::Now(_)));
    }

    #[tokio::test]
    async fn who_waits_for_a_request_uses_no_tokens_up() {
        let limits = limits(|settings| {
            settings.requests_per_minute = NonZeroU32::new(1);
            settings.tokens_per_minute = NonZeroU32::new(1_000);
        });
        assert!(matches!(limits.turn(100).await, Turn::Now(_)));
        for _ in 0..20 {
            assert!(matches!(limits.turn(100).await, Turn::After(wait) if wait.as_secs() >= 50));
        }
        let (tokens, _) = limits.tokens.as_ref().unwrap();
        assert_eq!(tokens.check_n(NonZeroU32::new(900).unwrap()), Ok(Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_in_vain_for_a_call_to_end_sleeps() {
        let limits = limits(|settings| settings.concurrency = 1);
        let Turn::Now(held) = limits.turn(1).await else { panic!("the first has to wait") };
        assert!(matches!(limits.turn(1).await, Turn::After(CROWDED)));
        drop(held);
        assert!(matches!(limits.turn(1).await, Turn::Now(_)));
    }
}
