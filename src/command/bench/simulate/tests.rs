//! What has to hold whatever the figures are.

use super::{
    outcome::{Outcome, UsedUp, simulate},
    scenario::Scenario,
    world::World,
};
use crate::command::bench::BenchArgs;
use std::time::Duration;
use ticketflow_worker::WorkerOptions;

/// The scenarios of a command line.
fn scenarios(arguments: &[&str]) -> Vec<Scenario> {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        bench: BenchArgs,
    }
    let all = ["bench", "--simulate", "--seconds", "2"].iter().chain(arguments);
    let bench = <Cli as clap::Parser>::parse_from(all).bench;
    bench.simulate.scenarios(bench.capacity.unwrap_or(WorkerOptions::default().capacity))
}

fn scenario(arguments: &[&str]) -> Scenario {
    scenarios(arguments).remove(0)
}

fn outcome(arguments: &[&str]) -> Outcome {
    simulate(scenario(arguments))
}

const SMALL: [&str; 8] = ["--cores", "2", "--workers", "3", "--step-ms", "20", "--rate", "400"];

fn small(more: &[&'static str]) -> Vec<&'static str> {
    SMALL.iter().chain(more).copied().collect()
}

/// Runs with the API, ready, held, and done.
fn census(world: &World) -> [usize; 4] {
    [
        world.clients.iter().map(|client| client.posts.len()).sum(),
        world.queues.iter().map(super::ready::Ready::len).sum(),
        world.workers.iter().map(super::worker::Worker::held).sum(),
        world.runs.iter().filter(|run| run.steps_left == 0).count(),
    ]
}

#[test]
fn every_run_is_in_one_place_at_any_time_and_done_in_the_end() {
    for nodes in ["1", "4"] {
        let mut world = World::new(scenario(&small(&["--nodes", nodes])));
        for tenth in 1..=30 {
            world.run_until(Duration::from_millis(tenth * 100));
            assert_eq!(census(&world).iter().sum::<usize>(), world.runs.len(), "{:?}", census(&world));
        }
        world.end_posts();
        world.run_until(Duration::from_secs(30));
        assert!(world.runs.len() > 1_000);
        assert_eq!(census(&world), [0, 0, 0, world.runs.len()]);
    }
}

#[test]
fn a_seed_decides_everything() {
    let of = |seed| outcome(&small(&["--seed", seed]));
    assert_eq!(of("7"), of("7"));
    assert_ne!(of("7"), of("8"));
}

#[test]
fn one_place_on_one_core_does_one_run_after_the_other() {
    let alone = ["--nodes", "1", "--cores", "1", "--workers", "1", "--capacity", "1", "--queues", "1"];
    let steps = ["--step-ms", "10", "--spread", "0", "--rate", "100", "--no-notify"];
    let arguments = [&alone[..], &steps].concat();
    let scenario = scenario(&arguments);
    let outcome = simulate(scenario.clone());
    // Between two runs it claims. The core is hardly ever busy, so that next to nothing waits for it.
    let claim = scenario.costs.claim(1, 0) + scenario.costs.flush() + scenario.costs.round_trip();
    let expected = 1.0 / (scenario.alone() + claim).as_secs_f64();
    assert!((outcome.done / expected - 1.0).abs() < 0.02, "{} is not {expected}", outcome.done);
    assert_eq!(outcome.used_up, UsedUp::Places);
}

#[test]
fn nothing_is_done_faster_than_cores_and_places_allow() {
    for scenario in scenarios(&["--workers", "1,30", "--cores", "1", "--step-ms", "0,50"]) {
        let outcome = simulate(scenario);
        assert!(outcome.done <= outcome.bound * 1.01, "{outcome:?}");
        assert!(outcome.done <= outcome.rate * 1.1, "{outcome:?}");
        assert!(outcome.database <= 1.0 && outcome.places <= 1.0 && outcome.empty <= 1.0, "{outcome:?}");
    }
}

#[test]
fn more_workers_lose_no_run_and_do_what_is_posted() {
    for workers in ["1", "10", "100"] {
        let outcome = outcome(&["--workers", workers, "--step-ms", "0", "--rate", "200", "--no-notify"]);
        assert!((outcome.done / 200.0 - 1.0).abs() < 0.05, "{workers}: {outcome:?}");
    }
}

#[test]
fn equal_tenants_and_queues_are_served_alike_also_when_too_much_comes() {
    let flooded = outcome(&["--workers", "4", "--cores", "1", "--step-ms", "0", "--rate", "9000"]);
    assert!(flooded.done < 8_000.0, "{flooded:?}");
    for fair in [flooded.fair_to_tenants, flooded.fair_to_queues, flooded.fair_to_workers] {
        assert!(fair > 0.97, "{flooded:?}");
    }
}

#[test]
fn a_wake_up_costs_no_more_claims_in_a_large_fleet_than_in_a_small_one() {
    let of = |workers| outcome(&["--workers", workers, "--nodes", "1", "--rate", "200", "--step-ms", "0"]);
    let (alone, few, many) = (of("1"), of("8"), of("200"));
    assert!(few.empty > alone.empty, "{alone:?} {few:?}");
    assert!(few.claims > 2.0 * alone.claims, "{alone:?} {few:?}");
    assert!(many.claims < 2.0 * few.claims, "{few:?} {many:?}");
}
