//! What can go wrong between a request and an answer, and what follows from it. Nothing here carries text of a ticket,
//! a prompt or an answer: these errors are logged and kept.

use super::prompt::PromptError;
use crate::redaction::RedactorError;
use std::time::Duration;
use ticketflow_tickets::{model::Observation, triage::FallbackReason};

/// Longest pause that a provider may ask for; a ticket that would have to wait longer is triaged offline.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Why models cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A step names a provider that is not set.
    #[error("step {step} asks provider {provider:?}, which is not configured; add [providers.{provider}]")]
    UnknownProvider {
        /// The step.
        step: &'static str,
        /// The name.
        provider: String,
    },
    /// Research and finalize are done by search and rules alone.
    #[error("step {0} asks no model: set one for classify, extract, draft or review")]
    NoModelStep(&'static str),
    /// A prompt cannot be used.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// What finds personal data cannot be set up.
    #[error(transparent)]
    Redactor(#[from] RedactorError),
    /// The HTTP client does not start.
    #[error("the HTTP client for providers does not start")]
    Http(#[source] reqwest::Error),
}

/// A call that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The answer did not come in time.
    #[error("the answer did not come in time")]
    TimedOut,
    /// No connection, or it was cut off.
    #[error("the provider was not reached, or the connection was cut off")]
    Unreachable,
    /// Status 5xx.
    #[error("the provider answered with status {0}")]
    ServerError(u16),
    /// Too many requests.
    #[error("the provider asks for fewer requests")]
    RateLimited {
        /// The pause it asks for.
        retry_after: Option<Duration>,
    },
    /// What was paid for is used up.
    #[error("the quota at the provider is used up")]
    QuotaExhausted,
    /// Status 401 or 403.
    #[error("the provider refuses the key")]
    Unauthorized,
    /// Status 404.
    #[error("the provider does not know the model, or its address is wrong")]
    NotFound,
    /// Status 3xx.
    #[error("the provider's address leads elsewhere")]
    Redirected,
    /// Any other status 4xx: the request as such.
    #[error("the provider refuses the request with status {0}")]
    RequestRefused(u16),
    /// The same, and it says that the form of the answer is the reason.
    #[error("the provider refuses the form of the answer with status {0}")]
    FormRefused(u16),
    /// The answer is longer than is read.
    #[error("the answer is longer than is read")]
    TooLarge,
    /// The answer is not of the protocol.
    #[error("the answer is not of the protocol")]
    BadResponse,
}

/// Why a question has no answer that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A call brought none.
    Call(CallError),
    /// Asking again would not help.
    Final(FallbackReason),
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Try the step again, no sooner than that.
    Retry(Option<Duration>),
    /// Let the offline rules do it.
    FallBack(FallbackReason),
}

impl CallError {
    /// The word for it in accounts, events and metrics.
    pub(super) const fn reason(self) -> FallbackReason {
        match self {
            Self::TimedOut => FallbackReason::TimedOut,
            Self::Unreachable => FallbackReason::Unreachable,
            Self::ServerError(_) => FallbackReason::ServerError,
            Self::RateLimited { .. } => FallbackReason::RateLimited,
            Self::QuotaExhausted => FallbackReason::QuotaExhausted,
            Self::Unauthorized => FallbackReason::Unauthorized,
            Self::NotFound => FallbackReason::NotFound,
            Self::Redirected => FallbackReason::Redirected,
            Self::RequestRefused(_) | Self::FormRefused(_) => FallbackReason::RequestRefused,
            Self::TooLarge => FallbackReason::TooLarge,
            Self::BadResponse => FallbackReason::BadResponse,
        }
    }

    /// What the breaker makes of it; none: it says nothing about the model's health.
    pub(super) const fn observation(self) -> Option<Observation> {
        match self {
            Self::TimedOut
            | Self::Unreachable
            | Self::ServerError(_)
            | Self::TooLarge
            | Self::BadResponse => Some(Observation::Failure),
            Self::QuotaExhausted | Self::Unauthorized | Self::NotFound | Self::Redirected => {
                Some(Observation::Refusal)
            }
            Self::RateLimited { .. } | Self::RequestRefused(_) | Self::FormRefused(_) => None,
        }
    }

    /// Whether the same request may be answered later.
    const fn may_pass(self) -> bool {
        match self {
            Self::TimedOut
            | Self::Unreachable
            | Self::ServerError(_)
            | Self::RateLimited { .. }
            | Self::BadResponse => true,
            Self::QuotaExhausted
            | Self::Unauthorized
            | Self::NotFound
            | Self::Redirected
            | Self::RequestRefused(_)
            | Self::FormRefused(_)
            | Self::TooLarge => false,
        }
    }

    const fn asked_pause(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => retry_after,
            Self::TimedOut
            | Self::Unreachable
            | Self::ServerError(_)
            | Self::QuotaExhausted
            | Self::Unauthorized
            | Self::NotFound
            | Self::Redirected
            | Self::RequestRefused(_)
            | Self::FormRefused(_)
            | Self::TooLarge
            | Self::BadResponse => None,
        }
    }
}

impl Trouble {
    /// What follows, in an attempt after which the step may still be tried, or not.
    pub(super) fn course(self, may_retry: bool) -> Course {
        match self {
            Self::Final(reason) => Course::FallBack(reason),
            Self::Call(error) => {
                let pause = error.asked_pause();
                let too_long = pause.is_some_and(|pause| pause > LONGEST_PAUSE);
                if may_retry && error.may_pass() && !too_long {
                    Course::Retry(pause)
                } else {
                    Course::FallBack(error.reason())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_falls_back_in_the_last_attempt() {
        for error in [
            CallError::TimedOut,
            CallError::Unreachable,
            CallError::ServerError(503),
            CallError::BadResponse,
            CallError::RateLimited { retry_after: None },
        ] {
            assert_eq!(Trouble::Call(error).course(true), Course::Retry(None));
            assert_eq!(Trouble::Call(error).course(false), Course::FallBack(error.reason()));
        }
    }

    #[test]
    fn what_does_not_pass_falls_back_at_once() {
        for error in [
            CallError::QuotaExhausted,
            CallError::Unauthorized,
            CallError::NotFound,
            CallError::Redirected,
            CallError::RequestRefused(400),
            CallError::FormRefused(400),
            CallError::TooLarge,
        ] {
            assert_eq!(Trouble::Call(error).course(true), Course::FallBack(error.reason()));
        }
        let declined = Trouble::Final(FallbackReason::Declined);
        assert_eq!(declined.course(true), Course::FallBack(FallbackReason::Declined));
    }

    #[test]
    fn the_pause_that_a_provider_asks_for_is_kept_unless_it_is_too_long() {
        let limited = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            Trouble::Call(CallError::RateLimited { retry_after }).course(true)
        };
        assert_eq!(limited(7), Course::Retry(Some(Duration::from_secs(7))));
        assert_eq!(limited(3_600), Course::FallBack(FallbackReason::RateLimited));
    }
}
