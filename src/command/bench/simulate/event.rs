//! What happens in the simulation, what is asked of servers, and what they answer.

use super::group::Part;
use std::time::Duration;
use ticketflow_engine::Bucket;

#[derive(Debug)]
pub(super) enum Event {
    Post,
    /// A core is done with a statement.
    Executed {
        server: usize,
        took: Duration,
        writes: bool,
        answer: Answer,
    },
    Answered(Answer),
    /// Steps of a worker's runs are done.
    Stepped {
        worker: usize,
        runs: Vec<usize>,
    },
    Waited {
        worker: usize,
        wait: u64,
    },
    Beat,
}

#[derive(Debug)]
pub(super) enum Statement {
    Enqueue {
        client: usize,
        part: Part,
    },
    Advance {
        worker: usize,
        part: Part,
    },
    Claim {
        worker: usize,
        queue: usize,
        room: usize,
        bucket: Option<Bucket>,
    },
    /// On several nodes: which buckets have ready runs.
    Look {
        worker: usize,
    },
    Notify {
        client: usize,
        /// That it tells of.
        runs: usize,
    },
    /// Heartbeat, look for chores, and what operators set about queues.
    Beat,
}

#[derive(Debug)]
pub(super) enum Answer {
    Enqueued { client: usize, part: Part },
    Advanced { worker: usize, part: Part },
    Claimed { worker: usize, runs: Vec<usize> },
    Found { worker: usize },
    Notified { client: usize, runs: usize },
    Beaten,
}
