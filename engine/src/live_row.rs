//! What a run's live row becomes when its log has moved on. Pure, like the transition it follows.

use crate::{
    history::History,
    status::{LiveState, RunStatus},
    store::advance::RowAfter,
    transition::Effect,
};
use chrono::{DateTime, Utc};

/// Who has the run from now on, if its step can run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keeper {
    /// The worker that wrote the event goes on with it.
    Worker {
        /// When its step should long be over.
        deadline_at: DateTime<Utc>,
    },
    /// Nobody: it is ready.
    Nobody {
        /// Since when.
        ready_at: DateTime<Utc>,
    },
}

/// The live row of a run with this history, of whose step `attempt` attempts were started.
pub(crate) fn row_after(history: &History, attempt: i32, keeper: Keeper) -> RowAfter {
    let state = &history.state;
    let live = |live_state, wake_at, deadline_at| RowAfter::Live {
        state: live_state,
        wake_at,
        step: state.step.clone(),
        version: state.definition.version,
        attempt,
        crashes: state.crashes,
        deadline_at,
    };
    match (state.phase.effect(), keeper) {
        (Effect::Run, Keeper::Worker { deadline_at }) => live(LiveState::Leased, None, Some(deadline_at)),
        // What woke a waiting run, or came while it was paused or held, may not be in the log yet: whoever claims it
        // looks, and parks it again if there is nothing.
        (Effect::Run | Effect::Park { state: LiveState::Waiting, .. }, Keeper::Nobody { ready_at }) => {
            live(LiveState::Ready, Some(ready_at), None)
        }
        (Effect::Park { state, wake_at }, Keeper::Worker { .. } | Keeper::Nobody { .. }) => {
            live(state, wake_at, None)
        }
        (Effect::Close(status), _) => RowAfter::Closed { status, error_code: history.error_code() },
        (Effect::Finish, _) => RowAfter::Closed { status: RunStatus::Completed, error_code: None },
    }
}
