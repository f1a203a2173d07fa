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

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_tickets::{
        language::Language,
        taxonomy::{Category, Priority},
        triage::{Fraction, IssueType, Sentiment},
    };

    struct File {
        classification: Classification,
        extraction: Extraction,
        draft: Draft,
        review: Review,
    }

    impl File {
        /// A harmless ticket with an approved draft.
        fn harmless() -> Self {
            Self {
                classification: Classification {
                    category: Category::parse("order").unwrap(),
                    confidence: Fraction::ONE,
                    priority: Priority::Medium,
                    sentiment_score: Sentiment::NEUTRAL,
                    language: Language::EN,
                    reasons: Vec::new(),
                    needs_review: false,
                },
                extraction: Extraction::empty(IssueType::TrackOrder),
                draft: Draft {
                    text: "Hello".to_owned(),
                    language: Language::EN,
                    cited_articles: Vec::new(),
                    action: Action::Reply,
                    template: "en/reply.md".to_owned(),
                    revision: 0,
                },
                review: Review {
                    verdict: Verdict::Approve,
                    score: Fraction::ONE,
                    notes: Vec::new(),
                    policy_violations: Vec::new(),
                },
            }
        }

        fn case(&self) -> Case<'_> {
            let Self { classification, extraction, draft, review } = self;
            Case { classification, extraction, draft, review }
        }

        fn needs_a_person(&self, policy: &ApprovalPolicy) -> bool {
            approval(self.case(), policy) != Approval::NotNeeded
        }
    }

    #[test]
    fn a_harmless_approved_draft_goes_on_by_itself() {
        assert!(!File::harmless().needs_a_person(&ApprovalPolicy::default()));
    }

    #[test]
    fn each_cause_alone_calls_for_a_person() {
        let policy = ApprovalPolicy::default();
        let changes: [fn(&mut File); 7] = [
            |file| file.review.verdict = Verdict::Human,
            |file| file.review.verdict = Verdict::Revise,
            |file| file.review.score = Fraction::clamped(0.1),
            |file| file.extraction.issue_type = IssueType::RefundRequest,
            |file| file.extraction.risks = vec![Risk::Injection],
            |file| file.classification.confidence = Fraction::clamped(0.1),
            |file| file.draft.action = Action::Handoff,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut file = File::harmless();
            change(&mut file);
            assert!(file.needs_a_person(&policy), "change {number}");
        }
        let careful = ApprovalPolicy { auto_approve_min_score: None, ..policy };
        assert!(File::harmless().needs_a_person(&careful));
    }

    #[test]
    fn a_persons_words_replace_the_draft_and_are_marked() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let file = File::harmless();
        let edited = Decision::Approved { by: "Ada".to_owned(), edited_response: Some("Bye".to_owned()) };
        let resolution = resolve(file.case(), &taxonomy, edited);
        assert_eq!(resolution.final_response.as_deref(), Some("Bye"));
        assert!(resolution.edited);
        assert_eq!(resolution.decided_by, DecidedBy::Person("Ada".to_owned()));
        let unchanged =
            Decision::Approved { by: "Ada".to_owned(), edited_response: Some("Hello".to_owned()) };
        assert!(!resolve(file.case(), &taxonomy, unchanged).edited);
    }

    #[test]
    fn a_refused_draft_is_not_sent() {
        let resolution = resolve(
            File::harmless().case(),
            &Taxonomy::built_in().unwrap(),
            Decision::Refused { by: "Ada".to_owned() },
        );
        assert_eq!(resolution.final_response, None);
        assert_eq!(resolution.action, Action::Handoff);
    }

    #[test]
    fn security_and_legal_matters_go_to_their_own_teams() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let team = |risks: Vec<Risk>| {
            let mut file = File::harmless();
            file.extraction.risks = risks;
            resolve(file.case(), &taxonomy, Decision::Policy).routing.team
        };
        assert_eq!(team(Vec::new()), "logistics");
        assert_eq!(team(vec![Risk::Security, Risk::Legal]), "security");
        assert_eq!(team(vec![Risk::Legal]), "legal");
    }
}
