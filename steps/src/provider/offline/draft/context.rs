//! Owns the way from a plan to the names that the templates use.

use super::{
    plan::{Cause, Plan, Point},
    wording::Wording,
};
use crate::provider::offline::text::fold;
use serde::Serialize;
use ticketflow_tickets::triage::Extraction;

/// Of each kind of detail.
const MOST: usize = 2;

/// The names that the templates use.
#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    issue: &'static str,
    matter: Option<&'a str>,
    subject: &'a str,
    details: String,
    name: Option<&'a str>,
    sorry: bool,
    unspoken: bool,
    cause: &'static str,
    team: &'a str,
    answered: &'a [Point],
    covered: &'a [String],
    open: &'a [String],
    article: Option<ArticleContext<'a>>,
    needs: Vec<String>,
    helps: Vec<String>,
    next: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ArticleContext<'a> {
    title: &'a str,
    summary: &'a str,
    foreign: bool,
    steps: &'a [&'a str],
    facts: &'a [&'a str],
}

impl<'a> Plan<'a> {
    /// The plan in the words of one language.
    pub(super) fn context(&'a self, wording: &'a Wording) -> Context<'a> {
        let (cause, team) = match self.cause {
            Some(Cause::Security) => ("security", wording.team("security")),
            Some(Cause::Legal) => ("legal", wording.team("legal")),
            Some(Cause::Urgent) => ("urgent", wording.team(self.category)),
            Some(Cause::Unclear) | None => ("unclear", wording.team(self.category)),
        };
        Context {
            issue: self.issue.as_str(),
            matter: wording.matter(self.issue.as_str()),
            subject: &self.subject,
            details: self
                .extraction
                .map(|found| details(wording, self.matter_category, found))
                .unwrap_or_default(),
            name: self.name.as_deref(),
            sorry: self.sorry,
            unspoken: self.language != wording.language,
            cause,
            team,
            answered: &self.answered,
            covered: &self.covered,
            open: &self.open,
            article: self.article.as_ref().map(|shown| ArticleContext {
                title: &shown.article.title,
                summary: &shown.article.summary,
                foreign: shown.foreign,
                steps: &shown.steps,
                facts: &shown.facts,
            }),
            needs: self.needs.iter().filter_map(|key| wording.need(key)).collect(),
            helps: self.helps.iter().filter_map(|key| wording.need(key)).collect(),
            next: self.next.and_then(|key| wording.next(key)),
        }
    }
}

/// What the ticket names that bears on matters of `category`, in brackets: " (order 48213, 749,00 €)".
fn details(wording: &Wording, category: &str, found: &Extraction) -> String {
    // A sum tells which payment is meant where no number does.
    let numbered = !found.order_ids.is_empty() || !found.invoice_ids.is_empty();
    let amounts = found.amounts.iter().filter(|_| !numbered);
    let amounts: Vec<String> = amounts.map(|amount| amount.text.clone()).collect();
    let product: Vec<String> = found.product.iter().cloned().collect();
    let order = ("order", found.order_ids.as_slice());
    let kinds = match category {
        "order" => vec![order, ("product", product.as_slice()), ("amount", amounts.as_slice())],
        "billing" => vec![order, ("invoice", found.invoice_ids.as_slice()), ("amount", amounts.as_slice())],
        "technical" => vec![("error", found.error_codes.as_slice()), ("version", found.versions.as_slice())],
        _ => Vec::new(),
    };
    let named = |(kind, values): &(&str, &[String])| {
        values.iter().take(MOST).map(|value| named(wording, kind, value)).collect::<Vec<_>>()
    };
    let named: Vec<String> = kinds.iter().flat_map(named).collect();
    if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) }
}

/// "error 503" stays what it is: the word for its kind stands there already.
fn named(wording: &Wording, kind: &str, value: &str) -> String {
    let plain = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let word = wording.detail(kind, "");
    if !word.trim().is_empty() && fold(&plain).starts_with(&fold(word.trim())) {
        plain
    } else {
        wording.detail(kind, &plain)
    }
}
