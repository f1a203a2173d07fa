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
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use ticketflow_steps::provider::offline::{
    Offline, Weights,
    training::{self, CORRECTIONS, Example, Training},
};
use ticketflow_tickets::{taxonomy::Category, ticket};

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
    /// Whether it was learnt without the weights in use, which may know the source.
    from_nothing: bool,
    majority: Scores,
    keywords: Scores,
    learnt: Scores,
}

pub(crate) async fn run(args: TrainArgs, format: Option<Format>, config: &Config) -> anyhow::Result<()> {
    let json = output::as_json("train", false, format)?;
    let offline = runtime::offline(config)?;
    let mut examples = labelled(&args, &offline)?;
    if args.corrections {
        examples.extend(in_use(corrections(config).await?, &offline));
    }
    let start = (!args.from_scratch).then(|| offline.weights());
    let training = Training::new(&offline, &examples, start)?;
    let report = judge(&training, args.from_scratch);
    write(&args.out, &training.weights())?;
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

/// Those whose category the taxonomy still has. Says how many there are.
fn in_use(corrections: Vec<Example>, offline: &Offline) -> Vec<Example> {
    say(&format!("{} in the database", counted(corrections.len(), "correction")));
    let names = offline.category_names();
    let (known, gone): (Vec<_>, Vec<_>) = corrections
        .into_iter()
        .partition(|example| names.iter().any(|name| name == example.category.as_str()));
    if !gone.is_empty() {
        let categories: BTreeSet<&str> = gone.iter().map(|example| example.category.as_str()).collect();
        let categories = Vec::from_iter(categories).join(", ");
        let gone = counted(gone.len(), "correction");
        say(&format!("{gone} left out: the taxonomy has no category {categories}"));
    }
    known
}

/// Beside the file and then in its place, so that nobody reads half of it.
fn write(path: &Path, weights: &Weights) -> anyhow::Result<()> {
    let json = weights.to_json()? + "\n";
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, json)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}; --out names another file", path.display()))
}

fn judge(training: &Training<'_>, from_scratch: bool) -> Report {
    let left_out = training.sources().iter().filter_map(|source| {
        let may_be_known = training.may_be_known(source);
        let start = if may_be_known { ", from nothing: the weights in use may know it" } else { "" };
        say(&format!("learning without {source}{start}"));
        let learnt = scored(training.source_left_out(source)?);
        let keywords = guesses(training.by_keywords(source));
        Some(LeftOut {
            source: source.clone(),
            from_nothing: from_scratch || may_be_known,
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
    let from_nothing = report.left_out.iter().filter(|left| left.from_nothing);
    let from_nothing: Vec<&str> = from_nothing.map(|left| left.source.as_str()).collect();
    if !from_nothing.is_empty() {
        out(&format!("learnt from nothing to judge {}", from_nothing.join(", ")))?;
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
    let LeftOut { source, majority, keywords, learnt, .. } = left;
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
