//! `ticketflow tickets import`: a CSV or JSONL file becomes tickets.
//!
//! Idempotent: a ticket with the same customer, subject and body is the same ticket, however often it is imported.
//! What cannot become a ticket goes, with the reason, into a file beside the input; nothing is dropped silently. A dry
//! run writes nothing that was not asked for: it says the first reasons instead.

mod file;
mod record;

use crate::{
    exit::Exit,
    http::Api,
    output::{Format, counted, print_one, printable, say},
};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use record::{Mapping, Parsed, Record};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

/// Reasons that a dry run shows.
const SHOWN: usize = 5;

/// What to import.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// CSV (with a header line) or JSONL file
    file: PathBuf,
    /// Which column becomes which field, as in `--map body=message`; may be repeated
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = record::parse_mapping)]
    map: Vec<(String, String)>,
    /// Customer of tickets that name none [default: import- and the name of the file]
    #[arg(long)]
    customer_id: Option<String>,
    /// Only check the file, and write nothing but what --rejected names
    #[arg(long)]
    dry_run: bool,
    /// Where lines that are no tickets go [default: beside the file, its name with .rejected.jsonl]
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    /// Tickets in one request
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
}

#[derive(Default)]
struct Outcome {
    created: u64,
    replayed: u64,
    rejected: u64,
}

pub(crate) async fn run(args: ImportArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let mapping = Mapping::new(&args.map, args.customer_id.clone(), &args.file);
    let records = file::read(&args.file, &mapping)?;
    let mut rejects = Rejects::new(&args);
    let bar = progress(records.len() as u64);
    let mut outcome = Outcome::default();
    let mut batch = Vec::new();
    for Record { line, parsed } in records {
        match parsed {
            Parsed::Ticket(ticket) => batch.push((line, ticket)),
            Parsed::Rejected { reason, raw } => rejects.add(line, &reason, &raw)?,
        }
        bar.inc(1);
        if batch.len() >= usize::from(args.batch) {
            submit(api, &mut batch, args.dry_run, &mut outcome, &mut rejects).await?;
        }
    }
    submit(api, &mut batch, args.dry_run, &mut outcome, &mut rejects).await?;
    bar.finish_and_clear();
    outcome.rejected = rejects.count;
    report(&outcome, &rejects, args.dry_run, format)
}

async fn submit(
    api: &Api,
    batch: &mut Vec<(u64, Value)>,
    dry_run: bool,
    outcome: &mut Outcome,
    rejects: &mut Rejects,
) -> anyhow::Result<()> {
    let batch = std::mem::take(batch);
    if dry_run {
        outcome.created += batch.len() as u64;
        return Ok(());
    }
    if batch.is_empty() {
        return Ok(());
    }
    let tickets: Vec<&Value> = batch.iter().map(|(_, ticket)| ticket).collect();
    let answer: Value = api.post("/tickets/batch", &json!(tickets)).await?.body;
    let results = answer["results"].as_array().context("the API's answer has no results")?;
    for ((line, ticket), result) in batch.iter().zip(results) {
        if result["ticket_id"].is_null() {
            rejects.add(*line, &result["problem"].to_string(), &ticket.to_string())?;
        } else if result["replayed"] == true {
            outcome.replayed += 1;
        } else {
            outcome.created += 1;
        }
    }
    Ok(())
}

/// Lines that are no tickets, with the reason.
struct Rejects {
    /// Where they go; none: nowhere, for nothing is to be written.
    path: Option<PathBuf>,
    file: Option<File>,
    count: u64,
    /// The first reasons, for people.
    first: Vec<String>,
}

impl Rejects {
    fn new(args: &ImportArgs) -> Self {
        let beside = || (!args.dry_run).then(|| rejected_beside(&args.file));
        Self { path: args.rejected.clone().or_else(beside), file: None, count: 0, first: Vec::new() }
    }

    fn add(&mut self, line: u64, reason: &str, raw: &str) -> anyhow::Result<()> {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(format!("  line {line}: {}", printable(reason)));
        }
        let Some(path) = &self.path else { return Ok(()) };
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = File::create(path);
                none.insert(file.with_context(|| {
                    format!("cannot write {}; --rejected names another file", path.display())
                })?)
            }
        };
        writeln!(file, "{}", json!({ "line": line, "reason": reason, "record": raw }))?;
        Ok(())
    }

    /// What became of them, in lines.
    fn told(&self) -> Vec<String> {
        let records = counted(self.count, "record");
        if let Some(path) = &self.path {
            return vec![format!("rejected {records}; with the reasons in {}", path.display())];
        }
        let mut lines = vec![format!("would reject {records}; the first reasons:")];
        lines.extend(self.first.iter().cloned());
        lines
    }
}

fn rejected_beside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{name}.rejected.jsonl"))
}

fn progress(records: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} tickets, {per_sec}");
    ProgressBar::new(records).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn report(outcome: &Outcome, rejects: &Rejects, dry_run: bool, format: Format) -> anyhow::Result<()> {
    let Outcome { created, replayed, rejected } = *outcome;
    let (summary, id) = if dry_run {
        (json!({ "would_create": created, "rejected": rejected, "dry_run": true }), "would_create")
    } else {
        let summary =
            json!({ "created": created, "replayed": replayed, "rejected": rejected, "dry_run": false });
        (summary, "created")
    };
    print_one(&summary, format, id)?;
    if rejected > 0 {
        rejects.told().iter().for_each(|line| say(line));
        if created + replayed == 0 {
            return Err(Exit::Failed.with("the file holds no ticket"));
        }
    }
    Ok(())
}
