//! The simulation: API processes that write runs, workers that claim and advance them, servers that carry out statements.
//!
//! Every run is in one place at a time: with the API that writes it, ready, held by a worker, or done.

use super::{
    agenda::Agenda,
    event::{Answer, Event, Statement},
    group::{Group, Part},
    random::Random,
    ready::Ready,
    scenario::Scenario,
    server::Server,
    tally::Tally,
    worker::{Next, Worker},
};
use std::time::Duration;
use ticketflow_engine::{
    Bucket, Topology,
    client::{ENQUEUE_CAP, ENQUEUE_TASKS},
};
use ticketflow_worker::pacing::{self, BEATS_PER_LEASE, SETTINGS_FOR};

/// API processes that the runs are posted to.
const CLIENTS: usize = 4;
/// How likely each priority is, the most urgent first.
const PRIORITIES: [f64; 3] = [0.2, 0.6, 0.2];

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) agenda: Agenda<Event>,
    pub(super) servers: Vec<Server<Statement>>,
    pub(super) queues: Vec<Ready>,
    pub(super) runs: Vec<Run>,
    pub(super) workers: Vec<Worker>,
    pub(super) clients: Vec<Client>,
    pub(super) tally: Tally,
    random: Random,
    shares: Vec<f64>,
    /// Until when runs are posted.
    posts_end: Duration,
}

#[derive(Debug)]
pub(super) struct Run {
    tenant: usize,
    queue: usize,
    priority: i16,
    bucket: Bucket,
    posted: Duration,
    pub(super) steps_left: u32,
}

/// An API process.
pub(super) struct Client {
    pub(super) posts: Group,
    telling: Telling,
    /// Runs of which no NOTIFY told yet.
    untold: usize,
}

/// Whether a NOTIFY is under way, and whether another has to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Silent,
    Sending,
    Again,
}

impl World {
    pub(super) fn new(scenario: Scenario) -> Self {
        let Scenario { workers, capacity, queues, poll, nodes, cores, tenants, .. } = scenario;
        let share = |number: u32| f64::from(number).powf(-scenario.skew);
        let client =
            || Client { posts: Group::new(ENQUEUE_TASKS, ENQUEUE_CAP), telling: Telling::Silent, untold: 0 };
        let mut world = Self {
            agenda: Agenda::new(),
            servers: (0..nodes).map(|_| Server::with_cores(cores)).collect(),
            queues: (0..queues).map(|_| Ready::on(scenario.topology())).collect(),
            runs: Vec::new(),
            workers: (0..workers).map(|_| Worker::new(capacity, queues, poll)).collect(),
            clients: (0..CLIENTS).map(|_| client()).collect(),
            tally: Tally::new(tenants, queues, workers),
            random: Random::seeded(scenario.seed),
            shares: (1..).take(tenants).map(share).collect(),
            posts_end: Duration::MAX,
            scenario,
        };
        world.begin();
        world
    }

    /// Workers came up some time ago, each at another moment.
    fn begin(&mut self) {
        self.agenda.after(Duration::ZERO, Event::Post);
        for worker in 0..self.workers.len() {
            let wait = self.workers[worker].wait;
            let rest = self.scenario.poll.mul_f64(self.random.fraction());
            self.agenda.after(rest, Event::Waited { worker, wait });
            let beat = (self.scenario.lease / BEATS_PER_LEASE).mul_f64(self.random.fraction());
            self.agenda.after(beat, Event::Beat);
        }
    }

    /// Posts no more from now on.
    #[cfg(test)]
    pub(super) fn end_posts(&mut self) {
        self.posts_end = self.agenda.now();
    }

    pub(super) fn run_until(&mut self, end: Duration) {
        while let Some(event) = self.agenda.next_before(end) {
            self.happens(event);
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Post => self.post(),
            Event::Executed { server, took, writes, answer } => {
                self.servers[server].finish(took);
                let flush = if writes { self.scenario.costs.flush() } else { Duration::ZERO };
                self.agenda.after(flush + self.scenario.costs.round_trip(), Event::Answered(answer));
                self.execute(server);
            }
            Event::Answered(answer) => self.answered(answer),
            Event::Stepped { worker, runs } => {
                runs.into_iter().for_each(|run| self.workers[worker].results.add(run));
                self.commit_results(worker);
            }
            Event::Waited { worker, wait } => {
                let next = self.workers[worker].waited(wait);
                self.go_on(worker, next);
            }
            Event::Beat => {
                // What every worker has to know of the others lies on every node.
                (0..self.servers.len()).for_each(|server| self.send(server, Statement::Beat));
                self.agenda.after(self.scenario.lease / BEATS_PER_LEASE, Event::Beat);
            }
        }
    }

    fn post(&mut self) {
        if self.agenda.now() >= self.posts_end {
            return;
        }
        let tenant = self.random.pick(&self.shares);
        let priority = self.random.pick(&PRIORITIES);
        let client = usize::from(self.random.byte()) % CLIENTS;
        self.tally.tenants[tenant].came += 1.0;
        let queue = tenant % self.scenario.queues;
        self.tally.queues[queue].came += 1.0;
        self.clients[client].posts.add(self.runs.len());
        self.runs.push(Run {
            tenant,
            queue,
            priority: i16::try_from(priority).unwrap_or(i16::MAX),
            bucket: Bucket(self.random.byte()),
            posted: self.agenda.now(),
            steps_left: self.scenario.steps,
        });
        let next = self.random.exponential(Duration::from_secs_f64(1.0 / self.scenario.rate));
        self.agenda.after(next, Event::Post);
        self.commit_posts(client);
    }

    fn commit_posts(&mut self, client: usize) {
        let (runs, topology) = (&self.runs, self.scenario.topology());
        let split = |batch| topology.parts(batch, |run: &usize| runs[*run].bucket);
        if let Some(part) = self.clients[client].posts.next(split) {
            self.send(self.server_of(&part), Statement::Enqueue { client, part });
            self.commit_posts(client);
        }
    }

    fn commit_results(&mut self, worker: usize) {
        let (runs, topology) = (&self.runs, self.scenario.topology());
        let split = |batch| topology.parts(batch, |run: &usize| runs[*run].bucket);
        if let Some(part) = self.workers[worker].results.next(split) {
            self.send(self.server_of(&part), Statement::Advance { worker, part });
            self.commit_results(worker);
        }
    }

    fn server_of(&self, part: &Part) -> usize {
        part.runs.first().map_or(0, |run| self.server_with(self.runs[*run].bucket))
    }

    fn server_with(&self, bucket: Bucket) -> usize {
        usize::from(bucket.0) % self.servers.len()
    }

    fn send(&mut self, server: usize, statement: Statement) {
        self.servers[server].send(statement);
        self.execute(server);
    }

    /// Carries out what there is a core for.
    fn execute(&mut self, server: usize) {
        while let Some(statement) = self.servers[server].begin() {
            let costs = &self.scenario.costs;
            let (took, writes, answer) = match statement {
                Statement::Enqueue { client, part } => {
                    (costs.enqueue(part.runs.len()), true, Answer::Enqueued { client, part })
                }
                Statement::Advance { worker, part } => {
                    (costs.advance(part.runs.len()), true, Answer::Advanced { worker, part })
                }
                Statement::Claim { worker, queue, room, bucket } => self.claim(worker, queue, room, bucket),
                Statement::Look { worker } => (costs.look(), false, Answer::Found { worker }),
                Statement::Notify { client, runs } => {
                    (costs.small(), false, Answer::Notified { client, runs })
                }
                Statement::Beat => (self.beat(), true, Answer::Beaten),
            };
            self.tally.commits += usize::from(writes && !matches!(answer, Answer::Beaten));
            self.agenda.after(took, Event::Executed { server, took, writes, answer });
        }
    }

    fn beat(&self) -> Duration {
        let settings = (self.scenario.lease / BEATS_PER_LEASE).div_duration_f64(SETTINGS_FOR);
        self.scenario.costs.small().mul_f64(2.0 + settings)
    }

    fn claim(
        &mut self,
        worker: usize,
        queue: usize,
        room: usize,
        bucket: Option<Bucket>,
    ) -> (Duration, bool, Answer) {
        let now = self.agenda.now();
        let ready = &mut self.queues[queue];
        let skipped = ready.locked(now, bucket);
        let runs = ready.take(bucket, room);
        let took = self.scenario.costs.claim(runs.len(), skipped);
        ready.lock(bucket, runs.len(), now + took + self.scenario.costs.flush());
        self.tally.claim(now, runs.len());
        self.tally.queues[queue].begun += f64::from(u32::try_from(runs.len()).unwrap_or(u32::MAX));
        for run in &runs {
            let Run { tenant, posted, .. } = self.runs[*run];
            self.tally.tenants[tenant].begun += 1.0;
            self.tally.ages.push(now.saturating_sub(posted));
        }
        self.workers[worker].free -= runs.len();
        (took, !runs.is_empty(), Answer::Claimed { worker, runs })
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Enqueued { client, part } => self.enqueued(client, part),
            Answer::Advanced { worker, part } => self.advanced(worker, part),
            Answer::Claimed { worker, runs } => {
                self.workers[worker].asking.taken += runs.len();
                self.start(worker, runs);
                self.ask_buckets(worker);
            }
            Answer::Found { worker } => self.found(worker),
            Answer::Notified { client, runs } => self.notified(client, runs),
            Answer::Beaten => {}
        }
    }

    fn enqueued(&mut self, client: usize, part: Part) {
        self.clients[client].posts.written(&part);
        self.clients[client].untold += part.runs.len();
        for run in part.runs {
            let Run { queue, priority, bucket, .. } = self.runs[run];
            self.queues[queue].add(priority, bucket, run);
        }
        self.commit_posts(client);
        if self.scenario.notify {
            let telling = &mut self.clients[client].telling;
            if *telling == Telling::Silent {
                self.tell(client);
            } else {
                *telling = Telling::Again;
            }
        }
    }

    fn tell(&mut self, client: usize) {
        self.clients[client].telling = Telling::Sending;
        let runs = std::mem::take(&mut self.clients[client].untold);
        self.send(0, Statement::Notify { client, runs });
    }

    fn notified(&mut self, client: usize, runs: usize) {
        let (fleet, capacity) = (self.workers.len(), self.scenario.capacity);
        for worker in 0..fleet {
            if !pacing::is_called(fleet, runs, capacity, self.random.fraction()) {
                continue;
            }
            let next = self.workers[worker].wake();
            self.go_on(worker, next);
        }
        let telling = &mut self.clients[client].telling;
        if *telling == Telling::Again {
            self.tell(client);
        } else {
            *telling = Telling::Silent;
        }
    }

    fn advanced(&mut self, worker: usize, part: Part) {
        self.workers[worker].results.written(&part);
        let runs = &mut self.runs;
        part.runs.iter().for_each(|run| runs[*run].steps_left -= 1);
        let (done, left): (Vec<_>, Vec<_>) =
            part.runs.into_iter().partition(|run| runs[*run].steps_left == 0);
        self.start(worker, left);
        self.commit_results(worker);
        if !done.is_empty() {
            self.tally.finish(self.agenda.now(), worker, done.len());
            let next = self.workers[worker].freed(done.len());
            self.go_on(worker, next);
        }
    }

    /// Begins the next step of each.
    fn start(&mut self, worker: usize, runs: Vec<usize>) {
        if runs.is_empty() {
            return;
        }
        let Scenario { step, spread, ref costs, .. } = self.scenario;
        if step.is_zero() {
            self.agenda.after(costs.overhead(), Event::Stepped { worker, runs });
            return;
        }
        for run in runs {
            let takes = costs.overhead() + self.random.log_normal(step, spread);
            self.agenda.after(takes, Event::Stepped { worker, runs: vec![run] });
        }
    }

    fn go_on(&mut self, worker: usize, next: Next) {
        match next {
            Next::Ask { queue, room } => self.ask(worker, queue, room),
            Next::Wait { longest, jittered } => {
                let wait = self.workers[worker].wait + 1;
                self.workers[worker].wait = wait;
                let longest =
                    if jittered { pacing::jittered(longest, self.random.fraction()) } else { longest };
                self.agenda.after(longest, Event::Waited { worker, wait });
            }
            Next::Stay => {}
        }
    }

    fn ask(&mut self, worker: usize, queue: usize, room: usize) {
        match self.scenario.topology() {
            Topology::Single => self.send(0, Statement::Claim { worker, queue, room, bucket: None }),
            Topology::Citus => {
                self.workers[worker].asking.nodes = self.servers.len();
                (0..self.servers.len()).for_each(|server| self.send(server, Statement::Look { worker }));
            }
        }
    }

    /// One node more has said what it has; once all have, their buckets are asked.
    fn found(&mut self, worker: usize) {
        let asking = &mut self.workers[worker].asking;
        asking.nodes -= 1;
        if asking.nodes > 0 {
            return;
        }
        asking.parts = self.queues[asking.queue].candidates(asking.room).into();
        if asking.parts.is_empty() {
            self.tally.claim(self.agenda.now(), 0);
        }
        self.ask_buckets(worker);
    }

    /// Asks the next bucket, if one is left; else the claim is answered.
    fn ask_buckets(&mut self, worker: usize) {
        let asking = &mut self.workers[worker].asking;
        if let Some((bucket, room)) = asking.parts.pop_front() {
            let claim = Statement::Claim { worker, queue: asking.queue, room, bucket: Some(bucket) };
            self.send(self.server_with(bucket), claim);
        } else {
            let next = self.workers[worker].claimed();
            self.go_on(worker, next);
        }
    }
}
