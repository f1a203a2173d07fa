//! Owns a support desk in memory: it takes a ticket through all steps, with articles found by plain word overlap.

use serde_json::Value;
use std::{collections::BTreeSet, path::Path};
use ticketflow_steps::provider::offline::{
    Approval, Case, DraftRequest, Message, Offline, ReviewPolicy, ReviewRequest, approval,
};
use ticketflow_tickets::{
    knowledge::{Article, shipped_articles},
    language::Language,
    taxonomy::Taxonomy,
    triage::{ArticleHit, Classification, Draft, Extraction, Fraction, Research, Review, Verdict},
};

/// A support desk.
pub(crate) struct Desk {
    pub(crate) offline: Offline,
    pub(crate) articles: Vec<Article>,
    pub(crate) policy: ReviewPolicy,
}

/// What became of a ticket.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) classification: Classification,
    pub(crate) extraction: Extraction,
    pub(crate) research: Research,
    pub(crate) draft: Draft,
    pub(crate) review: Review,
    pub(crate) approval: Approval,
}

impl Desk {
    pub(crate) fn open() -> Self {
        Self {
            offline: Offline::new(Taxonomy::built_in().unwrap()).unwrap(),
            articles: shipped_articles().unwrap(),
            policy: ReviewPolicy::default(),
        }
    }

    /// Takes a ticket through all steps, drafting again as long as the review asks for it.
    pub(crate) fn work(&self, message: Message<'_>) -> Outcome {
        let classification = self.offline.classify(message);
        let extraction = self.offline.extract(message, &classification.category);
        let research = self.research(message, &classification, &extraction);
        let articles = self.contents();
        let mut notes = Vec::new();
        let mut revision = 0;
        loop {
            let request = DraftRequest {
                message,
                classification: &classification,
                extraction: &extraction,
                research: &research,
                articles: &articles,
                review_notes: &notes,
                revision,
            };
            let draft = self.offline.draft(&request).unwrap();
            let review = self.offline.review(&ReviewRequest {
                message,
                classification: &classification,
                extraction: &extraction,
                research: &research,
                articles: &articles,
                draft: &draft,
                policy: &self.policy,
            });
            if review.verdict == Verdict::Revise {
                notes.extend(review.notes);
                revision += 1;
                continue;
            }
            let case = Case {
                classification: &classification,
                extraction: &extraction,
                draft: &draft,
                review: &review,
            };
            let approval = approval(case, &self.policy.approval, 0);
            return Outcome { classification, extraction, research, draft, review, approval };
        }
    }

    /// Every article.
    pub(crate) fn contents(&self) -> Vec<&Article> {
        self.articles.iter().collect()
    }

    /// Reviews `draft` as a draft for a ticket that became `outcome`.
    pub(crate) fn review(&self, message: Message<'_>, outcome: &Outcome, draft: &Draft) -> Review {
        self.offline.review(&ReviewRequest {
            message,
            classification: &outcome.classification,
            extraction: &outcome.extraction,
            research: &outcome.research,
            articles: &self.contents(),
            draft,
            policy: &self.policy,
        })
    }

    /// The articles that share most with the ticket; the one that usually answers its matter is ahead.
    fn research(&self, message: Message<'_>, found: &Classification, extraction: &Extraction) -> Research {
        let text = format!("{} {}", message.subject, message.body).to_lowercase();
        let usual = self.offline.usual_article(extraction.issue_type);
        let translated = usual.map(|usual| format!("{usual}-{}", found.language));
        let readable =
            self.articles.iter().filter(|article| [found.language, Language::EN].contains(&article.language));
        let mut rated: Vec<(f64, &Article)> = readable
            .map(|article| {
                let is_usual = [usual, translated.as_deref()].contains(&Some(article.id.as_str()));
                let same_category = article.category == found.category;
                let score = overlap(&text, article)
                    + if is_usual { 0.4 } else { 0.0 }
                    + if same_category { 0.1 } else { 0.0 };
                (score, article)
            })
            .collect();
        rated.sort_by(|left, right| right.0.total_cmp(&left.0));
        let articles = rated.into_iter().take(5).map(|(score, article)| hit(score, article)).collect();
        Research { articles, ..Research::default() }
    }
}

fn overlap(text: &str, article: &Article) -> f64 {
    let own = words(text);
    let keywords = article.keywords.iter().filter(|keyword| text.contains(&keyword.to_lowercase())).count();
    let title = words(&article.title.to_lowercase()).intersection(&own).count();
    let body =
        words(&article.passages().collect::<Vec<_>>().join(" ").to_lowercase()).intersection(&own).count();
    let score = keywords * 20 + title * 10 + body;
    f64::from(u32::try_from(score).unwrap()) / 100.0
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 3)
        .map(str::to_owned)
        .collect()
}

fn hit(score: f64, article: &Article) -> ArticleHit {
    ArticleHit {
        article_id: article.id.clone(),
        title: article.title.clone(),
        snippet: article.summary.clone(),
        score: Fraction::clamped(score),
        why: "shares words".to_owned(),
    }
}

/// A labelled ticket.
#[derive(Debug, Clone)]
pub(crate) struct Labelled {
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) row: Value,
}

impl Labelled {
    pub(crate) fn message(&self) -> Message<'_> {
        Message { subject: &self.subject, body: &self.body }
    }

    pub(crate) fn label(&self, field: &str) -> &str {
        self.row[field].as_str().unwrap()
    }
}

/// Reads a file of one JSON object a line; none when the file is not there.
pub(crate) fn labelled(path: &str) -> Option<Vec<Labelled>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()?;
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let field = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    Some(
        rows.map(|row| Labelled { subject: field(&row, "subject"), body: field(&row, "body"), row })
            .collect(),
    )
}

/// The sample tickets that come with the project.
pub(crate) fn samples() -> Vec<Labelled> {
    labelled("../tickets/data/samples/tickets.jsonl").unwrap()
}
