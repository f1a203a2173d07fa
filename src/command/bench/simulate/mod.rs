//! `bench --simulate`: what no single machine can show, a thousand workers at one database, as a simulation of discrete
//! events in virtual time. It asks no database. One seed gives one outcome.
//!
//! What a statement takes is an assumption ([`costs`]); in which order statements are sent, and for how many runs, is the
//! product's own doing, with its own numbers.

mod agenda;
mod costs;
mod event;
mod group;
mod outcome;
mod random;
mod ready;
mod report;
mod scenario;
mod server;
mod tally;
#[cfg(test)]
mod tests;
mod worker;
mod world;

use super::at_least_one;
use costs::Costs;
use futures::stream::{self, StreamExt, TryStreamExt};
use report::Report;
use scenario::Scenario;
use std::{num::NonZero, time::Duration};
use ticketflow_worker::{POLL_WITHOUT_WAKE_UPS, WorkerOptions};

/// Loads, by the most that could be done: well below what saturates, and above.
const LOADS: [f64; 2] = [0.5, 1.5];
/// How often workers look where nothing notifies them, as the documents advise.
const POLL_ON_SEVERAL_NODES: Duration = Duration::from_millis(250);

/// What is to be simulated.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SimulateArgs {
    /// Simulate fairness and contention of many workers, in virtual time, instead of measuring
    #[arg(long, conflicts_with = "growth")]
    pub(super) simulate: bool,
    /// Worker processes, one figure for each row
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100, 1_000], value_parser = at_least_one, requires = "simulate")]
    workers: Vec<usize>,
    /// Servers over which the buckets are spread; one is a plain PostgreSQL
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4], value_parser = at_least_one, requires = "simulate")]
    nodes: Vec<usize>,
    /// Cores of each server
    #[arg(long, default_value_t = 4, value_parser = at_least_one, requires = "simulate")]
    cores: usize,
    /// Mean time of a step, log-normal
    #[arg(long, value_name = "MS", value_delimiter = ',', default_values_t = [0, 1_000], requires = "simulate")]
    step_ms: Vec<u64>,
    /// Standard deviation of the logarithm of a step's time
    #[arg(long, default_value_t = 0.6, requires = "simulate")]
    spread: f64,
    /// Steps of a run
    #[arg(long, default_value_t = 6, requires = "simulate")]
    steps: u32,
    /// Runs posted in a second [default: half of what can be done at most, and half as many again]
    #[arg(long, value_parser = positive, requires = "simulate")]
    rate: Option<f64>,
    /// Queues, each asked by every worker
    #[arg(long, default_value_t = 3, value_parser = at_least_one, requires = "simulate")]
    queues: usize,
    /// Customers that send
    #[arg(long, default_value_t = 20, value_parser = at_least_one, requires = "simulate")]
    tenants: usize,
    /// The n-th customer sends as much as 1 / n to this power
    #[arg(long, default_value_t = 0.0, requires = "simulate")]
    skew: f64,
    /// Nothing wakes the workers of one server: they poll
    #[arg(long, requires = "simulate")]
    no_notify: bool,
    /// Seconds of virtual time that are measured at least
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..), requires = "simulate")]
    seconds: u64,
    /// Seed of all that is random
    #[arg(long, default_value_t = 1, requires = "simulate")]
    seed: u64,
    #[command(flatten)]
    costs: Costs,
}

pub(super) async fn run(args: &SimulateArgs, capacity: Option<usize>, json: bool) -> anyhow::Result<()> {
    let capacity = capacity.unwrap_or(WorkerOptions::default().capacity);
    let at_once = std::thread::available_parallelism().map_or(1, NonZero::get);
    let simulate = |scenario| tokio::task::spawn_blocking(move || outcome::simulate(scenario));
    let outcomes =
        stream::iter(args.scenarios(capacity)).map(simulate).buffered(at_once).try_collect().await?;
    let SimulateArgs { seed, cores, no_notify, ref costs, .. } = *args;
    Report { seed, capacity, cores, notify: !no_notify, costs: costs.clone(), outcomes }.print(json)
}

impl SimulateArgs {
    fn scenarios(&self, capacity: usize) -> Vec<Scenario> {
        let mut scenarios = Vec::new();
        for &nodes in &self.nodes {
            for &step in &self.step_ms {
                for &workers in &self.workers {
                    let scenario = self.scenario(capacity, nodes, Duration::from_millis(step), workers);
                    scenarios.extend(self.rates(&scenario).map(|rate| Scenario { rate, ..scenario.clone() }));
                }
            }
        }
        scenarios
    }

    fn rates(&self, scenario: &Scenario) -> impl Iterator<Item = f64> + use<> {
        let (bound, rate) = (scenario.bound(), self.rate);
        let rows = if rate.is_some() { 1 } else { LOADS.len() };
        LOADS.into_iter().take(rows).map(move |load| rate.unwrap_or(bound * load))
    }

    fn scenario(&self, capacity: usize, nodes: usize, step: Duration, workers: usize) -> Scenario {
        let product = WorkerOptions::default();
        let poll = match (nodes, self.no_notify) {
            (2.., _) => POLL_ON_SEVERAL_NODES,
            (_, true) => POLL_WITHOUT_WAKE_UPS,
            (_, false) => product.poll,
        };
        Scenario {
            workers,
            capacity,
            nodes,
            cores: self.cores,
            step,
            spread: self.spread,
            steps: self.steps,
            queues: self.queues,
            tenants: self.tenants,
            skew: self.skew,
            rate: 1.0,
            notify: nodes == 1 && !self.no_notify,
            poll,
            lease: product.lease,
            seconds: Duration::from_secs(self.seconds),
            seed: self.seed,
            costs: self.costs.clone(),
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "use a number above 0".to_owned())
}
