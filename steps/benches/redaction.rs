//! What redaction costs: microseconds a text, over the sample tickets, to replace and to put back.
//!
//! `cargo bench -p ticketflow-steps --bench redaction [-- <rounds>]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring tool fails by panicking and prints"
)]

#[path = "../tests/offline/desk.rs"]
#[expect(dead_code, reason = "the desk is for the tests")]
mod desk;

use desk::samples;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use ticketflow_steps::redaction::Redactor;

/// Rounds over the samples when nobody says how many.
const ROUNDS: u32 = 20;

fn main() {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let redactor = Redactor::load().unwrap();
    let texts: Vec<String> =
        samples().iter().map(|sample| format!("{}\n\n{}", sample.subject, sample.body)).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let started = Instant::now();
        for text in &texts {
            black_box(redactor.begin().redact(text).unwrap());
        }
        best = best.min(started.elapsed());
    }
    let each = best / u32::try_from(texts.len()).unwrap();
    println!("{each:?} a text of {} bytes, checked by restoring it", bytes / texts.len());
}
