//! `ticketflow kb`: fill the knowledge base and look into it.

use crate::{
    exit::Exit,
    http::Api,
    output::{Column, Format, counted, print, print_led, print_one, say},
};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::path::PathBuf;
use ticketflow_tickets::{
    knowledge::{Article, ImportDefaults, read_articles},
    language::Language,
    taxonomy::Category,
};

/// Articles in one request.
const BATCH: usize = 100;
/// Articles on a page of the list.
const PAGE: usize = 100;

const LIST_COLUMNS: [Column; 4] =
    [("ID", "id"), ("CATEGORY", "category"), ("LANGUAGE", "language"), ("TITLE", "title")];
const HIT_COLUMNS: [Column; 4] =
    [("ID", "article_id"), ("SCORE", "score"), ("TITLE", "title"), ("WHY", "why")];

/// What people look for first in an article.
const LEADING: [&str; 5] = ["id", "title", "category", "language", "summary"];

/// What to do with the knowledge base.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KbCommand {
    /// Bring in the articles of Markdown and JSON files; safe to repeat
    Import(ImportArgs),
    /// List articles
    List(ListArgs),
    /// Show an article
    Show {
        /// Id of the article
        id: String,
    },
    /// Search by words
    Search(SearchArgs),
}

/// What to import.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Files ending in .md, .markdown or .json
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Category of articles whose file names none
    #[arg(long, default_value = "general")]
    category: String,
    /// Language of articles whose file names none, as an ISO 639-1 code
    #[arg(long, default_value = "en")]
    language: String,
    /// Only read the files and say what is in them
    #[arg(long)]
    dry_run: bool,
}

/// Which articles to list.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Only those of this category
    #[arg(long)]
    category: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// What to search for.
#[derive(Debug, clap::Args)]
pub(crate) struct SearchArgs {
    /// Any words
    #[arg(required = true)]
    words: Vec<String>,
    /// Language of the words, as an ISO 639-1 code
    #[arg(long, default_value = "en")]
    language: String,
    /// At most this many
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=50))]
    limit: u16,
}

pub(crate) async fn run(command: KbCommand, api: &Api, format: Option<Format>) -> anyhow::Result<()> {
    let format = format.unwrap_or_default();
    match command {
        KbCommand::Import(args) => import(args, api, format).await,
        KbCommand::List(args) => list(args, api, format).await,
        KbCommand::Show { id } => {
            let article: Value = api.get(&format!("/articles/{id}"), &[]).await?;
            print_led(&article, format, &LEADING)
        }
        KbCommand::Search(args) => search(args, api, format).await,
    }
}

async fn import(args: ImportArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let articles = read(&args)?;
    if args.dry_run {
        say(&format!("read {}; nothing was written", counted(articles.len() as u64, "article")));
        let articles: Vec<Value> = articles.iter().map(|article| json!(article)).collect();
        return print(&articles, format, &LIST_COLUMNS, "id");
    }
    let (mut written, mut unchanged) = (0, 0);
    for batch in articles.chunks(BATCH) {
        let answer: Value = api.post("/articles/import", &json!({ "articles": batch })).await?.body;
        let count = |name: &str| answer[name].as_u64().context("the API's answer has no counts");
        written += count("written")?;
        unchanged += count("unchanged")?;
    }
    say(&format!("wrote {}; {unchanged} stood there already", counted(written, "article")));
    print_one(&json!({ "written": written, "unchanged": unchanged }), format, "written")
}

/// Reads every file before anything is sent, so that a fault in the last leaves nothing half done.
fn read(args: &ImportArgs) -> anyhow::Result<Vec<Article>> {
    let usage = |problem: String| Exit::Usage.with(problem);
    let category = Category::parse(&args.category).map_err(|error| usage(format!("--category: {error}")))?;
    let language = Language::parse(&args.language).map_err(|error| usage(format!("--language: {error}")))?;
    let defaults = ImportDefaults { category, language };
    let mut articles = Vec::new();
    for path in &args.files {
        let text = std::fs::read_to_string(path)
            .map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?;
        let read = read_articles(&path.to_string_lossy(), &text, &defaults);
        articles.extend(read.map_err(|error| usage(error.to_string()))?);
    }
    Ok(articles)
}

async fn list(args: ListArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let mut articles: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    while articles.len() < args.limit {
        let mut query = vec![("limit", (args.limit - articles.len()).min(PAGE).to_string())];
        query.extend(args.category.clone().map(|category| ("category", category)));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page: Value = api.get("/articles", &query).await?;
        if let Value::Array(found) = page["articles"].take() {
            articles.extend(found);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    print(&articles, format, &LIST_COLUMNS, "id")
}

async fn search(args: SearchArgs, api: &Api, format: Format) -> anyhow::Result<()> {
    let query = [("q", args.words.join(" ")), ("language", args.language), ("limit", args.limit.to_string())];
    let mut found: Value = api.get("/articles/search", &query).await?;
    let hits = if let Value::Array(hits) = found["articles"].take() { hits } else { Vec::new() };
    print(&hits, format, &HIT_COLUMNS, "article_id")
}
