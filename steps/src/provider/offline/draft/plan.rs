//! Owns what goes into a draft before it is worded: the action, the article, the points, what is still needed.

use super::{DraftRequest, Drafter, answer::Passages, quote::one_line, style::Style};
use crate::provider::offline::{extract::Need, reading::Reading};
use serde::Serialize;
use ticketflow_tickets::{
    knowledge::{Article, ArticleId},
    language::Language,
    taxonomy::Priority,
    triage::{Action, Extraction, IssueType, Risk},
};

/// Score from which an article is worth showing.
const RELEVANT: f64 = 0.2;
/// What the article is ahead by that usually answers the matter, in whatever language.
const USUAL: f64 = 0.5;
/// What an article is ahead by for being in the customer's language.
const SAME_LANGUAGE: f64 = 0.15;
/// What an article is ahead by for being in the ticket's category.
const SAME_CATEGORY: f64 = 0.1;
/// Articles that answers are looked for in.
const MOST_ARTICLES: usize = 3;
/// Longest quote, in characters.
const QUOTE: usize = 220;
/// Steps shown at most.
const MOST_STEPS: usize = 8;
/// Facts shown at most.
const MOST_FACTS: usize = 2;
/// Words up to which a ticket without matter and ask is too vague to work on.
const VAGUE: usize = 8;
/// Mood up to which the customer is told that we are sorry.
const UPSET: u8 = 3;

/// Why a person takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A stolen account or leaked data.
    Security,
    /// A legal threat.
    Legal,
    /// Harm grows by the hour.
    Urgent,
    /// The rules do not know enough.
    Unclear,
}

/// An ask that a passage answers.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    ask: String,
    answer: String,
}

/// What is shown of an article.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) article: &'a Article,
    pub(super) foreign: bool,
    pub(super) steps: Vec<&'a str>,
    pub(super) facts: Vec<&'a str>,
}

/// A draft before it is worded.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) action: Action,
    pub(super) cause: Option<Cause>,
    pub(super) issue: IssueType,
    pub(super) category: &'a str,
    pub(super) matter_category: &'a str,
    pub(super) upset: bool,
    pub(super) language: Language,
    pub(super) subject: String,
    pub(super) extraction: Option<&'a Extraction>,
    pub(super) answered: Vec<Point>,
    pub(super) covered: Vec<String>,
    pub(super) open: Vec<String>,
    pub(super) article: Option<Shown<'a>>,
    pub(super) answering: Vec<&'a ArticleId>,
    pub(super) needs: Vec<&'static str>,
    pub(super) helps: Vec<&'static str>,
    pub(super) next: Option<&'a str>,
}

impl<'a> Plan<'a> {
    /// Plans the draft for the ticket that `reading` is of.
    pub(super) fn of(
        drafter: Drafter<'a>,
        reading: &Reading,
        request: &DraftRequest<'a>,
        language: Language,
    ) -> Self {
        let style = Style::of(request.review_notes);
        let extraction = request.extraction;
        let matter = drafter.extractor.matters().of(extraction.issue_type);
        let articles = ranked(request, matter.and_then(|matter| matter.article.as_deref()), language, &style);
        let vague = is_vague(reading, extraction);
        let unmet = |needs: &[Need]| -> Vec<&'static str> {
            let open = needs.iter().filter(|need| !need.is_met(extraction, &reading.text));
            open.map(|need| need.key()).collect()
        };
        let passages = Passages::of(&articles, drafter);
        let mut plan = Self {
            action: Action::Reply,
            cause: cause(request, vague),
            issue: extraction.issue_type,
            category: request.classification.category.as_str(),
            matter_category: drafter.extractor.matters().category(extraction.issue_type),
            upset: request.classification.sentiment_score.get() <= UPSET,
            language: request.classification.language,
            subject: String::new(),
            extraction: style.repeats().then_some(extraction),
            answered: Vec::new(),
            covered: Vec::new(),
            open: Vec::new(),
            article: shown(&articles, &passages, reading, language, &style),
            answering: Vec::new(),
            needs: if vague {
                vec!["details"]
            } else {
                matter.map_or_else(Vec::new, |matter| unmet(&matter.needs))
            },
            helps: matter.filter(|_| style.is_full()).map_or_else(Vec::new, |matter| unmet(&matter.helps)),
            next: matter.map(|matter| matter.next.as_str()).or((!vague).then_some("info")),
        };
        if style.repeats() {
            plan.take_up(drafter, reading, extraction, &passages, style.states_facts());
        }
        plan.decide(vague, &style);
        plan
    }

    /// Quotes the subject and the asks, and looks for answers among the articles' passages.
    fn take_up(
        &mut self,
        drafter: Drafter<'a>,
        reading: &Reading,
        found: &Extraction,
        passages: &Passages<'a>,
        answers: bool,
    ) {
        let contacts = drafter.extractor.contacts();
        self.subject = Some(one_line(contacts, &reading.subject, QUOTE))
            .filter(|subject| subject.chars().filter(|c| c.is_alphabetic()).count() >= 4)
            .unwrap_or_default();
        for ask in &found.asks {
            let quote = one_line(contacts, ask, QUOTE);
            let shown = self.article.as_ref().filter(|_| answers).map(|shown| shown.article);
            let fresh = |answer: &(&ArticleId, &str)| {
                answers && !self.answered.iter().any(|point| point.answer == answer.1)
            };
            let asked = passages.content(ask);
            match passages.answer(&asked).filter(fresh) {
                _ if quote.is_empty() => {}
                Some((article, text)) => {
                    self.answering.push(article);
                    self.answered.push(Point { ask: quote, answer: text.to_owned() });
                }
                None if shown.is_some_and(|article| passages.covers(article, &asked)) => {
                    self.covered.push(quote);
                }
                None => self.open.push(quote),
            }
        }
        if let Some(shown) = &mut self.article {
            shown.facts.retain(|fact| !self.answered.iter().any(|point| point.answer == *fact));
        }
    }

    fn decide(&mut self, vague: bool, style: &Style) {
        if self.issue == IssueType::Praise {
            self.article = None;
        }
        let needs_no_article = matches!(self.issue, IssueType::Praise | IssueType::FeatureRequest);
        let knows_nothing = self.article.is_none() && !needs_no_article;
        self.action = if self.cause.is_some() {
            Action::Handoff
        } else if vague || !self.needs.is_empty() {
            Action::Ask
        } else if knows_nothing || !style.repeats() {
            Action::Handoff
        } else {
            Action::Reply
        };
        if self.action == Action::Handoff && self.cause != Some(Cause::Security) {
            self.article = None;
        }
    }

    /// Articles whose content the draft shows.
    pub(super) fn cited(&self) -> Vec<ArticleId> {
        let mut cited: Vec<ArticleId> = self.article.iter().map(|shown| shown.article.id.clone()).collect();
        for article in self.answering.iter().filter(|_| self.action != Action::Handoff) {
            if !cited.contains(article) {
                cited.push((*article).clone());
            }
        }
        cited
    }
}

/// The articles worth showing, best first.
fn ranked<'a>(
    request: &DraftRequest<'a>,
    usual: Option<&str>,
    language: Language,
    style: &Style,
) -> Vec<&'a Article> {
    let hits = request.research.articles.iter().filter(|hit| hit.score.get() >= RELEVANT);
    let mut rated: Vec<(f64, &Article)> = hits
        .filter_map(|hit| {
            Some((hit.score.get(), request.articles.iter().find(|article| article.id == hit.article_id)?))
        })
        .filter(|(_, article)| style.shows_foreign_articles() || article.language == language)
        .map(|(score, article)| {
            let spoken = if article.language == language { SAME_LANGUAGE } else { 0.0 };
            let fitting =
                if article.category == request.classification.category { SAME_CATEGORY } else { 0.0 };
            let expected =
                if usual.is_some_and(|usual| is_version_of(&article.id, usual)) { USUAL } else { 0.0 };
            (score + spoken + fitting + expected, article)
        })
        .collect();
    rated.sort_by(|left, right| right.0.total_cmp(&left.0));
    rated.into_iter().take(MOST_ARTICLES).map(|(_, article)| article).collect()
}

/// `track-order-de` is a version of `track-order`.
fn is_version_of(id: &ArticleId, usual: &str) -> bool {
    let rest = id.as_str().strip_prefix(usual);
    rest.is_some_and(|rest| rest.is_empty() || (rest.len() == 3 && rest.starts_with('-')))
}

fn shown<'a>(
    articles: &[&'a Article],
    passages: &Passages<'a>,
    reading: &Reading,
    language: Language,
    style: &Style,
) -> Option<Shown<'a>> {
    let article = articles.first()?;
    let most_facts = if style.states_facts() && style.is_full() { MOST_FACTS } else { 0 };
    let facts = passages.facts(article, reading, most_facts);
    let steps = article.steps.iter().take(MOST_STEPS).map(String::as_str).collect();
    Some(Shown { article, foreign: article.language != language, steps, facts })
}

fn cause(request: &DraftRequest<'_>, vague: bool) -> Option<Cause> {
    let holds = |risk: Risk| request.extraction.risks.contains(&risk);
    if holds(Risk::Security) {
        Some(Cause::Security)
    } else if holds(Risk::Legal) {
        Some(Cause::Legal)
    } else if request.classification.priority == Priority::Urgent {
        Some(Cause::Urgent)
    } else if holds(Risk::Abuse) || holds(Risk::Injection) {
        Some(Cause::Unclear)
    } else {
        let unclear =
            request.classification.needs_review && request.extraction.issue_type == IssueType::Question;
        (unclear && !vague).then_some(Cause::Unclear)
    }
}

fn is_vague(reading: &Reading, extraction: &Extraction) -> bool {
    reading.own_words.len() <= VAGUE
        && extraction.issue_type == IssueType::Question
        && extraction.asks.is_empty()
}
