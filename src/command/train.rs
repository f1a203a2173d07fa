//! `ticketflow train`: learns categories from labelled tickets, and says how well, beside what needs no learning.

use crate::{
    command::eval::{figure, table},
    config::Config,
    output::{self, Format, counted, out, say},
    quality::{self, Guess, Reading, Scores},
    runtime::{self, Home},
    schema,
};
use anyhow::Context as _;
use serde::Serialize;
use sqlx::PgConnection;
use std::path::{Path, PathBuf};
use ticketflow_steps::provider::offline::{
    Offline, Weights,
    training::{self, Example, Training},
};
use ticketflow_tickets::{taxonomy::Category, ticket};

/// Name of the source that corrections are.
const CORRECTIONS: &str = "corrections";
/// Corrections that are read at once.
const CORRECTIONS_AT_ONCE: u16 = 500;

/// What to learn from.
#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    /// Labelled tickets: .jsonl or .csv with body or text, subject, category, source
    #[arg(required_unless_present = "corrections")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Learn from the categories, too, that people set on the tickets in the database
    #[arg(long)]
    corrections: bool,
    /// Begin with nothing instead of the weights in use
    #[arg(long)]
    from_scratch: bool,
    /// Where the weights go
    #[arg(long, value_name = "FILE", default_value = "weights.json")]
    out: PathBuf,
}

/// How well it was learnt.
#[derive(Debug, Serialize)]
struct Report {
    /// Figures about sources that were left out; empty where there is but one.
    left_out: Vec<LeftOut>,
    /// Figures about every fifth text, left out.
    held_out: Scores,
    texts: usize,
}

/// A source that was left out.
#[derive(Debug, Serialize)]
struct LeftOut {
    source: String,
    majority: Scores,
    keywords: Scores,
    learnt: Scores,
}

pub(crate) async fn run(args: TrainArgs, format: Option<Format>, config: &Config) -> anyhow::Result<()> {
    let json = output::as_json("train", false, format)?;
    let offline = runtime::offline(config)?;
    let mut examples = labelled(&args, &offline)?;
    if args.corrections {
        let corrected = corrections(config).await?;
        say(&format!("{} in the database", counted(corrected.len(), "correction")));
        examples.extend(corrected);
    }
    let start = (!args.from_scratch).then(|| offline.weights());
    let training = Training::new(&offline, &examples, start)?;
    write(&args.out, &training.weights())?;
    let report = judge(&training);
    if json { out(&serde_json::to_string_pretty(&report)?) } else { print(&report, &args.out) }
}

fn labelled(args: &TrainArgs, offline: &Offline) -> anyhow::Result<Vec<Example>> {
    let categories = offline.category_names();
    let names: Vec<&str> = categories.iter().map(String::as_str).collect();
    let mut examples = Vec::new();
    for file in &args.files {
        for ticket in quality::read(file, &args.reading, &names)?.tickets {
            examples.push(Example {
                source: ticket.source,
                subject: ticket.subject,
                body: ticket.body,
                category: Category::parse(&ticket.category)?,
            });
        }
    }
    Ok(examples)
}

async fn corrections(config: &Config) -> anyhow::Result<Vec<Example>> {
    let home = Home::find_existing(config).await?;
    let read = async {
        let pool = home.database.connect(2).await?.pool;
        schema::require(&pool).await?;
        corrected_categories(&mut *pool.acquire().await?).await
    };
    let corrections = read.await;
    home.close().await?;
    corrections
}

async fn corrected_categories(connection: &mut PgConnection) -> anyhow::Result<Vec<Example>> {
    let mut examples = Vec::new();
    let mut after = None;
    loop {
        let page = ticket::corrections(connection, after, CORRECTIONS_AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(examples) };
        after = Some(last.ticket);
        examples.extend(page.into_iter().filter_map(example));
    }
}

/// A ticket to learn from, if its category was corrected.
fn example(correction: ticket::Correction) -> Option<Example> {
    let ticket::Correction { subject, body, category, .. } = correction;
    Some(Example { source: CORRECTIONS.to_owned(), subject, body, category: category?.new })
}

fn write(path: &Path, weights: &Weights) -> anyhow::Result<()> {
    let json = weights.to_json()? + "\n";
    std::fs::write(path, json)
        .with_context(|| format!("cannot write {}; --out names another file", path.display()))
}

fn judge(training: &Training<'_>) -> Report {
    let left_out = training.sources().iter().filter_map(|source| {
        say(&format!("learning without {source}"));
        let learnt = scored(training.source_left_out(source)?);
        let keywords = guesses(training.by_keywords(source));
        Some(LeftOut {
            source: source.clone(),
            majority: Scores::majority(&keywords),
            keywords: Scores::of(&keywords),
            learnt,
        })
    });
    let left_out = left_out.collect();
    let held_out = scored(training.held_out());
    Report { left_out, held_out, texts: training.texts() }
}

fn scored(learnt: Vec<training::Guess>) -> Scores {
    Scores::of(&guesses(learnt))
}

fn guesses(learnt: Vec<training::Guess>) -> Vec<Guess> {
    let guess = |guess: training::Guess| Guess {
        expected: guess.expected.to_string(),
        found: guess.found.to_string(),
        confidence: guess.confidence,
    };
    learnt.into_iter().map(guess).collect()
}

fn print(report: &Report, path: &Path) -> anyhow::Result<()> {
    let pair = |scores: &Scores| format!("{} {}", figure(scores.accuracy), figure(scores.macro_f1));
    let mut rows: Vec<Vec<String>> = report.left_out.iter().map(|left| row(left, pair)).collect();
    if let Some(mean) = mean(&report.left_out) {
        rows.push(mean);
    }
    if rows.is_empty() {
        out("one source alone: nothing tells how it carries over to others")?;
    } else {
        out("each source left out: accuracy and macro-F1")?;
        out(&table(
            &["source", "texts", "majority", "keywords", "learnt", "surest half", "calib. error"],
            rows,
        ))?;
    }
    let held_out = &report.held_out;
    out(&format!("every fifth text left out, which flatters: {} of {}", pair(held_out), held_out.texts))?;
    out(&format!(
        "learnt from {}; written to {}. In use once the configuration file says so: [offline] weights = \"{}\"",
        counted(report.texts, "text"),
        path.display(),
        path.display()
    ))
}

fn row(left: &LeftOut, pair: impl Fn(&Scores) -> String) -> Vec<String> {
    let LeftOut { source, majority, keywords, learnt } = left;
    vec![
        source.clone(),
        learnt.texts.to_string(),
        pair(majority),
        pair(keywords),
        pair(learnt),
        figure(learnt.surest_half),
        figure(learnt.calibration_error),
    ]
}

/// The means over the sources, each counting alike.
fn mean(left_out: &[LeftOut]) -> Option<Vec<String>> {
    let sources = f64::from(u32::try_from(left_out.len()).ok().filter(|sources| *sources > 0)?);
    let of = |value: &dyn Fn(&LeftOut) -> f64| figure(left_out.iter().map(value).sum::<f64>() / sources);
    let both = |scores: fn(&LeftOut) -> &Scores| {
        format!("{} {}", of(&|left| scores(left).accuracy), of(&|left| scores(left).macro_f1))
    };
    let texts: usize = left_out.iter().map(|left| left.learnt.texts).sum();
    Some(vec![
        "mean".to_owned(),
        texts.to_string(),
        both(|left| &left.majority),
        both(|left| &left.keywords),
        both(|left| &left.learnt),
        of(&|left| left.learnt.surest_half),
        of(&|left| left.learnt.calibration_error),
    ])
}
