//! Owns the end of triage: what happens to a ticket, who works it, and whether a person has to agree first.
//!
//! Decides; does nothing. Whatever sends a reply asks here first.

use super::review::ApprovalPolicy;
use ticketflow_tickets::{
    taxonomy::Taxonomy,
    triage::{
        Action, Classification, DecidedBy, Draft, Extraction, Resolution, Review, Risk, Routing, Verdict,
    },
};

/// Everything that triage found out about a ticket.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What it is about.
    pub classification: &'a Classification,
    /// What it names and asks for.
    pub extraction: &'a Extraction,
    /// The reply nobody has sent yet.
    pub draft: &'a Draft,
    /// What was found wrong with it.
    pub review: &'a Review,
}

/// Whether a person has to agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// The policy lets the draft through.
    NotNeeded,
    /// A person has to agree, for these reasons.
    Needed(Vec<String>),
}

/// Who decided what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The policy let the draft through.
    Policy,
    /// A person agreed, perhaps to a reply of their own.
    Approved {
        /// Their name.
        by: String,
        /// The reply they wrote instead of the draft.
        edited_response: Option<String>,
    },
    /// A person refused the draft and takes the ticket over.
    Refused {
        /// Their name.
        by: String,
    },
}

/// Says whether a person has to agree to the draft.
pub fn approval(case: Case<'_>, policy: &ApprovalPolicy) -> Approval {
    let mut reasons = Vec::new();
    match (case.review.verdict, policy.auto_approve_min_score) {
        (Verdict::Human | Verdict::Revise, _) => reasons.push("the review asks for a person".to_owned()),
        (Verdict::Approve, None) => reasons.push("the policy has a person approve every draft".to_owned()),
        (Verdict::Approve, Some(least)) if case.review.score < least => {
            reasons.push(format!("the score {:.2} is below {:.2}", case.review.score.get(), least.get()));
        }
        (Verdict::Approve, Some(_)) => {}
    }
    if policy.guarded_issues.contains(&case.extraction.issue_type) {
        reasons.push(format!("{} is a matter that a person decides", case.extraction.issue_type));
    }
    if case.classification.confidence < policy.min_confidence {
        reasons.push("the category is unsure".to_owned());
    }
    if !case.extraction.risks.is_empty() {
        let risks: Vec<_> = case.extraction.risks.iter().map(|risk| risk.as_str()).collect();
        reasons.push(format!("risks: {}", risks.join(", ")));
    }
    if case.draft.action == Action::Handoff {
        reasons.push("the draft hands the ticket over".to_owned());
    }
    if reasons.is_empty() { Approval::NotNeeded } else { Approval::Needed(reasons) }
}

/// Ends triage as decided.
pub fn resolve(case: Case<'_>, taxonomy: &Taxonomy, decision: Decision) -> Resolution {
    let routing = routing(case, taxonomy);
    let (final_response, action, decided_by, edited) = match decision {
        Decision::Policy => (Some(case.draft.text.clone()), case.draft.action, DecidedBy::Policy, false),
        Decision::Approved { by, edited_response } => {
            let edited = edited_response.as_ref().is_some_and(|text| *text != case.draft.text);
            let response = edited_response.unwrap_or_else(|| case.draft.text.clone());
            (Some(response), case.draft.action, DecidedBy::Person(by), edited)
        }
        Decision::Refused { by } => (None, Action::Handoff, DecidedBy::Person(by), false),
    };
    Resolution { final_response, action, routing, decided_by, edited }
}

/// Security and legal matters go to their own teams, everything else to the category's.
fn routing(case: Case<'_>, taxonomy: &Taxonomy) -> Routing {
    let holds = |risk: Risk| case.extraction.risks.contains(&risk);
    let team = if holds(Risk::Security) {
        &taxonomy.escalation().security
    } else if holds(Risk::Legal) {
        &taxonomy.escalation().legal
    } else {
        taxonomy.team(&case.classification.category)
    };
    Routing { team: team.to_owned(), priority: case.classification.priority }
}
