//! Owns the review of a draft, whoever wrote it: rules or a model.
//!
//! A draft is approved only when no check finds anything and nothing about the ticket asks for a person.

mod approval;
mod checks;
mod codes;
mod policy;
mod quoted;
mod rules;

pub use approval::{ApprovalPolicy, ApprovalRule, CategoryApproval, UnknownCategory};
pub use policy::ReviewPolicy;
pub(super) use rules::ReviewRules;

use super::{
    article::ArticleReadings, draft::Wordings, extract::Extractor, language::LanguageFinder,
    reading::Message, reading::Reading,
};
use checks::Evidence;
use ticketflow_tickets::{
    knowledge::Article,
    triage::{
        Action, Classification, Draft, Extraction, Fraction, PolicyViolation, Research, Review, Risk,
        Verdict, ViolationCode,
    },
};

/// Drafts after which a fault is left for a person to mend.
const MOST_REVISIONS: u32 = 2;

/// What an ask costs that is taken up but left to a person.
const POSTPONED: f64 = 0.04;
/// What such asks cost together at most.
const MOST_POSTPONED: f64 = 0.16;

/// What a review looks at.
#[derive(Debug, Clone, Copy)]
pub struct ReviewRequest<'a> {
    /// What the customer wrote.
    pub message: Message<'a>,
    /// What it is about.
    pub classification: &'a Classification,
    /// What it names and asks for.
    pub extraction: &'a Extraction,
    /// What is known that bears on it.
    pub research: &'a Research,
    /// The articles that the draft cites, in full.
    pub articles: &'a [&'a Article],
    /// The draft.
    pub draft: &'a Draft,
    /// What may be said and what a person has to decide.
    pub policy: &'a ReviewPolicy,
}

/// What reviewing needs besides the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reviewer<'a> {
    /// What a draft must not say.
    pub(super) rules: &'a ReviewRules,
    /// Finds addresses and numbers.
    pub(super) extractor: &'a Extractor,
    /// Tells languages apart.
    pub(super) languages: &'a LanguageFinder,
    /// Knows which languages drafts are written in.
    pub(super) wordings: &'a Wordings,
    /// The articles, read.
    pub(super) articles: &'a ArticleReadings,
}

impl Reviewer<'_> {
    /// Reviews a draft for the ticket that `reading` is of.
    pub(super) fn review(self, reading: &Reading, request: &ReviewRequest<'_>) -> Review {
        let evidence = Evidence::of(self, reading, request);
        let violations = evidence.violations();
        let postponed = POSTPONED * f64::from(u32::try_from(evidence.postponed_asks()).unwrap_or(u32::MAX));
        let mut causes = person_causes(request);
        causes.extend(
            evidence.unknown_code().map(|code| format!("the draft names {code}, of which nothing is known")),
        );
        let mendable = !violations.is_empty() && request.draft.revision < MOST_REVISIONS;
        let verdict = if mendable {
            Verdict::Revise
        } else if violations.is_empty() && causes.is_empty() {
            Verdict::Approve
        } else {
            Verdict::Human
        };
        let named = violations.iter().map(|violation| format!("{}: {}", violation.code, violation.detail));
        let notes = named.chain(causes.into_iter().map(|cause| format!("person: {cause}"))).collect();
        Review {
            verdict,
            score: score(&violations, request, postponed.min(MOST_POSTPONED)),
            notes,
            policy_violations: violations,
        }
    }
}

/// What about the ticket asks for a person, whatever the draft says.
fn person_causes(request: &ReviewRequest<'_>) -> Vec<String> {
    let (approval, category) = (&request.policy.approval, &request.classification.category);
    let issue = request.extraction.issue_type;
    let mut causes: Vec<String> =
        request.extraction.risks.iter().map(|risk| risk_cause(*risk).to_owned()).collect();
    if approval.guards(category, issue) {
        causes.push(format!("{issue} is a matter that a person decides"));
    }
    if approval.least_confidence(category).is_some_and(|least| request.classification.confidence < least) {
        let confidence = request.classification.confidence.get();
        causes.push(format!("the category is unsure (confidence {confidence:.2})"));
    }
    if request.draft.action == Action::Handoff && approval.doubts(category) {
        causes.push("the draft hands the ticket over".to_owned());
    }
    causes
}

const fn risk_cause(risk: Risk) -> &'static str {
    match risk {
        Risk::Security => "an account or data may be in the wrong hands",
        Risk::Legal => "legal steps are announced",
        Risk::Abuse => "the customer insults or threatens",
        Risk::Injection => "the ticket holds text that addresses the program",
        Risk::CardNumber => "the ticket holds a full card number",
    }
}

/// One, less what each violation costs, less a little for asks put off, no source, and an unsure category.
fn score(violations: &[PolicyViolation], request: &ReviewRequest<'_>, postponed: f64) -> Fraction {
    let faults: f64 = violations.iter().map(|violation| cost(violation.code)).sum();
    let unsourced = if request.draft.cited_articles.is_empty() { 0.05 } else { 0.0 };
    let unsure = 0.1 * (1.0 - request.classification.confidence.get());
    Fraction::clamped(((1.0 - faults - postponed - unsourced - unsure) * 1000.0).round() / 1000.0)
}

const fn cost(code: ViolationCode) -> f64 {
    match code {
        ViolationCode::RepeatedInstruction => 0.8,
        ViolationCode::CardNumber => 0.6,
        ViolationCode::ForeignPersonalData | ViolationCode::ForeignLink => 0.5,
        ViolationCode::UnsupportedPromise | ViolationCode::Placeholder | ViolationCode::WrongLanguage => 0.4,
        ViolationCode::TooShort => 0.3,
        ViolationCode::Tone | ViolationCode::UnknownCitation => 0.2,
        ViolationCode::UnansweredAsk => 0.15,
        ViolationCode::TooLong => 0.1,
    }
}
