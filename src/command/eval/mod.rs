//! `ticketflow eval`: reads labelled tickets as the step `classify` does, and says how well.

mod junit;
mod report;

pub(crate) use report::{figure, table};

use crate::{
    config::Config,
    exit::Exit,
    output::{self, Format, out, say},
    quality::{self, Guess, Labelled, Reading, Scores, parse_rename, share},
    runtime,
};
use serde::Serialize;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use ticketflow_steps::provider::offline::{Message, Offline};

/// What to judge by.
#[derive(Debug, clap::Args)]
pub(crate) struct EvalArgs {
    /// Labelled tickets: .jsonl or .csv with body or text, subject, category, priority
    file: PathBuf,
    #[command(flatten)]
    reading: Reading,
    /// Count one category as another, where the file has fewer of them; may be repeated
    #[arg(long, value_name = "CATEGORY=CATEGORY", value_parser = parse_rename)]
    count_as: Vec<(String, String)>,
    /// Write the thresholds and whether they are kept as a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    thresholds: Thresholds,
}

/// What the figures must keep; exit code 1 if one does not.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Thresholds {
    /// Least share of right categories, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_accuracy: Option<f64>,
    /// Least macro-F1, 0 to 1
    #[arg(long, value_name = "F1", value_parser = parse_share)]
    min_macro_f1: Option<f64>,
    /// Least share of right categories among the surest half, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    min_surest_half: Option<f64>,
    /// Largest expected calibration error, 0 to 1
    #[arg(long, value_name = "ERROR", value_parser = parse_share)]
    max_calibration_error: Option<f64>,
}

/// A threshold, and the figure that has to keep it.
struct Check {
    name: &'static str,
    figure: f64,
    threshold: f64,
    kept: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    left_out: usize,
    /// One who always says the most frequent label.
    majority: Scores,
    /// Keywords alone.
    keywords: Scores,
    /// The step as it is configured.
    classifier: Scores,
    priority: Option<Priority>,
    latency: Latency,
}

/// How well priorities are told.
#[derive(Debug, Serialize)]
struct Priority {
    texts: usize,
    accuracy: f64,
}

/// Microseconds that a ticket takes.
#[derive(Debug, Serialize)]
struct Latency {
    mean: f64,
    p50: f64,
    p99: f64,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "use a number from 0 to 1".to_owned())
}

pub(crate) fn run(args: &EvalArgs, format: Option<Format>, config: &Config) -> anyhow::Result<()> {
    let json = output::as_json("eval", false, format)?;
    let offline = runtime::offline(config)?;
    let categories = offline.category_names();
    let names: Vec<&str> = categories.iter().map(String::as_str).collect();
    let labels = quality::read(&args.file, &args.reading, &names)?;
    let report = judge(&offline, &labels.tickets, labels.left_out, &args.count_as);
    if json {
        out(&serde_json::to_string_pretty(&report)?)?;
    } else {
        report::print(&report)?;
    }
    let checks = args.thresholds.checks(&report.classifier);
    if let Some(path) = &args.junit {
        junit::write(path, &checks)?;
    }
    let missed: Vec<&Check> = checks.iter().filter(|check| !check.kept).collect();
    missed.iter().for_each(|check| say(&check.told()));
    if missed.is_empty() { Ok(()) } else { Err(Exit::Failed.with("the figures do not keep the thresholds")) }
}

fn judge(offline: &Offline, tickets: &[Labelled], left_out: usize, count_as: &[(String, String)]) -> Report {
    let counted = |category: &str| {
        let other = count_as.iter().find(|(from, _)| from == category);
        other.map_or(category, |(_, to)| to).to_owned()
    };
    let (mut guesses, mut by_keywords, mut times, mut priorities) = (vec![], vec![], vec![], vec![]);
    for ticket in tickets {
        let message = Message { subject: &ticket.subject, body: &ticket.body };
        let started = Instant::now();
        let found = offline.classify(message);
        times.push(started.elapsed());
        let guess = |category: &str, confidence| Guess {
            expected: ticket.category.clone(),
            found: counted(category),
            confidence,
        };
        guesses.push(guess(found.category.as_str(), found.confidence.get()));
        let (category, confidence) = offline.by_keywords(message);
        by_keywords.push(guess(category.as_str(), confidence));
        priorities.extend(ticket.priority.as_ref().map(|expected| expected == found.priority.as_str()));
    }
    let right = priorities.iter().filter(|right| **right).count();
    Report {
        left_out,
        majority: Scores::majority(&guesses),
        keywords: Scores::of(&by_keywords),
        classifier: Scores::of(&guesses),
        priority: (!priorities.is_empty())
            .then(|| Priority { texts: priorities.len(), accuracy: share(right, priorities.len()) }),
        latency: Latency::of(times),
    }
}

impl Latency {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().map_or(0.0, micros);
        let texts = u32::try_from(times.len().max(1)).unwrap_or(u32::MAX);
        Self { mean: micros(times.iter().sum::<Duration>() / texts), p50: at(50), p99: at(99) }
    }
}

impl Thresholds {
    fn checks(self, scores: &Scores) -> Vec<Check> {
        let least = |name, figure: f64, threshold: Option<f64>| {
            threshold.map(|threshold| Check { name, figure, threshold, kept: figure >= threshold })
        };
        let error = scores.calibration_error;
        let calibration = self.max_calibration_error.map(|threshold| Check {
            name: "calibration error",
            figure: error,
            threshold,
            kept: error <= threshold,
        });
        let checks = [
            least("accuracy", scores.accuracy, self.min_accuracy),
            least("macro-F1", scores.macro_f1, self.min_macro_f1),
            least("surest half", scores.surest_half, self.min_surest_half),
            calibration,
        ];
        checks.into_iter().flatten().collect()
    }
}

impl Check {
    fn told(&self) -> String {
        format!("{} is {:.3}; the threshold is {:.3}", self.name, self.figure, self.threshold)
    }
}
