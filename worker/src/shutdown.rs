//! The two ways to stop a worker.

use tokio_util::sync::CancellationToken;

/// Tells a worker to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// No new claims; running steps get the grace period; leases are handed back.
    pub stop: CancellationToken,
    /// Running steps are cut off; leases are handed back.
    pub abort: CancellationToken,
}

impl Shutdown {
    /// Asks to stop gracefully; asked a second time, cuts off.
    pub fn request(&self) {
        if self.stop.is_cancelled() {
            self.abort.cancel();
        }
        self.stop.cancel();
    }
}
