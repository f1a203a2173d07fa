//! What statements take of a server's core, and what everybody waits for, in microseconds.
//!
//! The defaults are measured; `docs/scaling.md` says where and how.

use serde::Serialize;
use std::time::Duration;

/// Times of the simulation's PostgreSQL.
#[derive(Debug, Clone, Serialize, clap::Args)]
#[expect(clippy::struct_field_names, reason = "they are the flags' names, which say the unit")]
#[command(next_help_heading = "What is simulated takes, in microseconds")]
pub(super) struct Costs {
    /// A claim that brings nothing
    #[arg(long, value_name = "US", default_value_t = 40, requires = "simulate")]
    empty_claim_us: u64,
    /// A claim that brings runs
    #[arg(long, value_name = "US", default_value_t = 170, requires = "simulate")]
    claim_us: u64,
    /// Each run that it brings
    #[arg(long, value_name = "US", default_value_t = 28, requires = "simulate")]
    claim_row_us: u64,
    /// Each run locked by another claim that it steps over
    #[arg(long, value_name = "US", default_value_t = 2, requires = "simulate")]
    skip_row_us: u64,
    /// On several nodes, each of the two looks on each node for buckets that have runs
    #[arg(long, value_name = "US", default_value_t = 100, requires = "simulate")]
    look_us: u64,
    /// A commit of results
    #[arg(long, value_name = "US", default_value_t = 165, requires = "simulate")]
    advance_us: u64,
    /// Each result in it
    #[arg(long, value_name = "US", default_value_t = 24, requires = "simulate")]
    advance_row_us: u64,
    /// A commit of new runs
    #[arg(long, value_name = "US", default_value_t = 220, requires = "simulate")]
    enqueue_us: u64,
    /// Each run in it
    #[arg(long, value_name = "US", default_value_t = 27, requires = "simulate")]
    enqueue_row_us: u64,
    /// Small statements: a heartbeat, a look for chores, a wake-up
    #[arg(long, value_name = "US", default_value_t = 20, requires = "simulate")]
    small_us: u64,
    /// The wait for the disk at a commit, which takes no core
    #[arg(long, value_name = "US", default_value_t = 150, requires = "simulate")]
    flush_us: u64,
    /// The way to the server and back
    #[arg(long, value_name = "US", default_value_t = 300, requires = "simulate")]
    round_trip_us: u64,
    /// What the worker itself does around a step
    #[arg(long, value_name = "US", default_value_t = 14, requires = "simulate")]
    overhead_us: u64,
}

impl Costs {
    pub(super) fn claim(&self, runs: usize, skipped: usize) -> Duration {
        let found = if runs == 0 { self.empty_claim_us } else { self.claim_us };
        micros(found) + times(self.claim_row_us, runs) + times(self.skip_row_us, skipped)
    }

    pub(super) fn advance(&self, runs: usize) -> Duration {
        micros(self.advance_us) + times(self.advance_row_us, runs)
    }

    pub(super) fn enqueue(&self, runs: usize) -> Duration {
        micros(self.enqueue_us) + times(self.enqueue_row_us, runs)
    }

    /// Ready runs and those whose time has come are looked for apart.
    pub(super) fn look(&self) -> Duration {
        micros(2 * self.look_us)
    }

    pub(super) const fn small(&self) -> Duration {
        micros(self.small_us)
    }

    pub(super) const fn flush(&self) -> Duration {
        micros(self.flush_us)
    }

    pub(super) const fn round_trip(&self) -> Duration {
        micros(self.round_trip_us)
    }

    pub(super) const fn overhead(&self) -> Duration {
        micros(self.overhead_us)
    }
}

const fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

fn times(each: u64, count: usize) -> Duration {
    micros(each) * u32::try_from(count).unwrap_or(u32::MAX)
}
