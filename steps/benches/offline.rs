//! What the offline provider costs: microseconds a ticket, by step, over the sample tickets, each text read anew.
//!
//! Also prints a digest of all answers: a change that is only to make it faster leaves that as it was.
//! `cargo bench -p ticketflow-steps --bench offline [-- <rounds>]`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring tool fails by panicking and prints"
)]

#[path = "../tests/offline/desk.rs"]
#[expect(dead_code, reason = "labels are for the tests")]
mod desk;

use desk::{Desk, Labelled, Outcome, samples};
use sha2::{Digest, Sha256};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use ticketflow_steps::provider::offline::{
    Approval, Case, Decision, DraftRequest, Message, Offline, ReviewRequest, approval, resolve,
};
use ticketflow_tickets::{knowledge::Article, taxonomy::Taxonomy};

/// Rounds over the samples when nobody says how many.
const ROUNDS: usize = 20;

const STEPS: [&str; 6] = ["read", "classify", "extract", "draft", "review", "finalize"];

type Times = [Duration; STEPS.len()];

fn main() {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let samples = samples();
    println!("answers {}", digest(&samples));
    // One desk prepares what the steps are given, so that the other sees each ticket for the first time.
    let (preparing, measured) = (Desk::open(), Desk::open());
    let mut best = [Duration::MAX; STEPS.len()];
    for number in 0..rounds {
        let times = round(&preparing, &measured, &samples, number);
        best = std::array::from_fn(|step| best[step].min(times[step]));
    }
    let tickets = u32::try_from(samples.len()).unwrap();
    for (step, time) in STEPS.iter().zip(best) {
        println!("{step:9}{:8.1} µs", (time / tickets).as_secs_f64() * 1e6);
    }
    println!("{:9}{:8.1} µs", "all", (best.iter().sum::<Duration>() / tickets).as_secs_f64() * 1e6);
}

/// The bytes that all samples are answered with.
fn digest(samples: &[Labelled]) -> String {
    let desk = Desk::open();
    let mut digest = Sha256::new();
    for sample in samples {
        let Outcome { classification, extraction, research: _, draft, review, approval } =
            desk.work(sample.message());
        let reasons = match approval {
            Approval::NotNeeded => Vec::new(),
            Approval::Needed(reasons) => reasons,
        };
        digest.update(serde_json::to_vec(&(classification, extraction, draft, review, reasons)).unwrap());
    }
    hex::encode(digest.finalize())
}

/// Every sample once, with a text that was not there before.
fn round(preparing: &Desk, measured: &Desk, samples: &[Labelled], number: usize) -> Times {
    let mut times = Times::default();
    for sample in samples {
        let body = format!("{}\n\n{number}", sample.body);
        let message = Message { subject: &sample.subject, body: &body };
        let outcome = preparing.work(message);
        let cited =
            |article: &&Article| outcome.research.articles.iter().any(|hit| hit.article_id == article.id);
        let articles: Vec<&Article> = measured.articles.iter().filter(cited).collect();
        let ticket = one(measured, message, &outcome, &articles);
        times = std::array::from_fn(|step| times[step] + ticket[step]);
    }
    times
}

fn one(desk: &Desk, message: Message<'_>, outcome: &Outcome, articles: &[&Article]) -> Times {
    let Outcome { classification, extraction, research, draft, review, .. } = outcome;
    let offline: &Offline = &desk.offline;
    let first = timed(|| offline.classify(message));
    let again = timed(|| offline.classify(message));
    let extracted = timed(|| offline.extract(message, &classification.category));
    let request = DraftRequest {
        message,
        classification,
        extraction,
        research,
        articles,
        review_notes: &[],
        revision: 0,
    };
    let drafted = timed(|| offline.draft(&request));
    let request = ReviewRequest {
        message,
        classification,
        extraction,
        research,
        articles,
        draft,
        policy: &desk.policy,
    };
    let reviewed = timed(|| offline.review(&request));
    let case = Case { classification, extraction, draft, review };
    let taxonomy = Taxonomy::built_in().unwrap();
    let finalized =
        timed(|| (approval(case, &desk.policy.approval, 0), resolve(case, &taxonomy, Decision::Policy)));
    [first.saturating_sub(again), again, extracted, drafted, reviewed, finalized]
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}
