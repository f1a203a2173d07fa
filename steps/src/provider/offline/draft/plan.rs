//! Owns what goes into a draft before it is worded: the action, the article, the points, what is still needed.

use super::{
    DraftRequest, Drafter,
    answer::Passages,
    choice::{Choice, Shown},
    quote::one_line,
    style::Style,
};
use crate::provider::offline::{extract::Need, reading::Reading};
use serde::Serialize;
use ticketflow_tickets::{
    knowledge::ArticleId,
    language::Language,
    taxonomy::Priority,
    triage::{Action, Extraction, IssueType, Risk},
};

/// Longest quote, in characters.
const QUOTE: usize = 220;
/// Words up to which a ticket without matter and ask is too vague to work on.
const VAGUE: usize = 8;
/// The sentence that a colleague answers the rest.
const INFO: &str = "info";
/// Letters of a subject that is worth quoting.
const SUBJECT: usize = 4;
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

/// A draft before it is worded.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) action: Action,
    pub(super) cause: Option<Cause>,
    pub(super) issue: IssueType,
    pub(super) category: &'a str,
    pub(super) matter_category: &'a str,
    /// Who is greeted.
    pub(super) name: Option<String>,
    /// Whether the customer is told that we are sorry.
    pub(super) sorry: bool,
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
        let usual = matter.and_then(|matter| matter.article.as_deref());
        let choice = Choice { request, usual, language, style: &style };
        let articles = choice.ranked();
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
            name: None,
            sorry: request.classification.sentiment_score.get() <= UPSET
                || matter.is_some_and(|matter| matter.trouble),
            language: request.classification.language,
            subject: String::new(),
            extraction: style.repeats().then_some(extraction),
            answered: Vec::new(),
            covered: Vec::new(),
            open: Vec::new(),
            article: choice.shown(&articles, &passages, reading),
            answering: Vec::new(),
            needs: if vague {
                vec!["details"]
            } else {
                matter.map_or_else(Vec::new, |matter| unmet(&matter.needs))
            },
            helps: matter.filter(|_| style.is_full()).map_or_else(Vec::new, |matter| unmet(&matter.helps)),
            next: matter.map(|matter| matter.next.as_str()).or((!vague).then_some(INFO)),
        };
        if style.repeats() {
            plan.name = drafter.names.of(&reading.own, &reading.own_words);
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
        if quotable_subject(reading) {
            self.subject = one_line(contacts, &reading.subject, QUOTE);
        }
        let praises = self.issue == IssueType::Praise;
        for ask in found.asks.iter().filter(|ask| !praises || ask.contains('?')) {
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
        // Where all is handed over, or what is open was named, nothing goes beyond that.
        let all_taken = self.action == Action::Handoff || !self.open.is_empty();
        self.next = self.next.filter(|next| *next != INFO || !all_taken);
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

/// A subject that is the beginning of the message says nothing that the message does not.
fn quotable_subject(reading: &Reading) -> bool {
    let subject = reading.subject_words.line().trim();
    let repeats = reading.own_words.line().trim_start().starts_with(subject);
    !repeats && reading.subject.chars().filter(|c| c.is_alphabetic()).count() >= SUBJECT
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
