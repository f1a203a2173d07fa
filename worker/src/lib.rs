//! A worker process: claims runs, advances them, keeps its lease alive, takes over from the dead, and stops without
//! losing or charging anything.
//!
//! One [`run`] is one worker. It registers, works until it is told to stop, and comes back under a new id if it was
//! declared dead meanwhile.

mod bookmark;
mod chores;
mod claims;
mod heartbeat;
mod listener;
mod options;
pub mod pacing;
mod reconcile;
mod session;
mod shutdown;

pub use options::{POLL_WITHOUT_WAKE_UPS, WorkerOptions};
pub use session::{WorkerError, run};
pub use shutdown::Shutdown;
