//! Tests of the engine, its worker and its SQL, all against a real PostgreSQL.
//!
//! Each test has a database of its own, copied from a migrated template, and ends with an audit. Nothing sleeps:
//! tests wait for a condition with a bound, move the database's clock, or meet at gates.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's helper fails by panicking")]

mod actions;
mod approvals;
mod architecture;
mod benchmark;
mod citus;
mod command_line;
mod commits;
mod contract;
mod control;
mod definitions;
mod diagnosis;
mod distribution;
mod durability;
mod failover;
mod happy_path;
mod health;
mod knowledge;
mod leases;
mod lines;
mod locks;
mod model;
mod model_answers;
mod model_breaker;
mod model_budgets;
mod model_failures;
mod model_forms;
mod model_injections;
mod model_processes;
mod model_run;
mod once;
mod order;
mod people;
mod plans;
mod poolers;
mod processes;
mod products;
mod quality;
mod queues;
mod research;
mod restart;
mod retention;
mod retries;
mod schedules;
mod secrecy;
mod shutdown;
mod silence;
mod support;
mod tampering;
mod upgrades;
mod upkeep;
mod versions;
mod waiting;
mod wakeups;
