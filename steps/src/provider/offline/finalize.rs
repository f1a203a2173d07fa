//! Owns the end of triage: what happens to a ticket, who works it, and whether a person has to agree first.
//!
//! Decides; does nothing. Whatever sends a reply asks here first.

use super::review::{ApprovalPolicy, ApprovalRule};
use ticketflow_tickets::{
    taxonomy::Taxonomy,
    triage::{
        Action, ActionOutcome, ActionStatus, Classification, DecidedBy, Draft, Extraction, Resolution,
        Review, Rewrite, Risk, Routing, Verdict,
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
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The policy let the draft through.
    Policy,
    /// A person agreed, perhaps to a reply of their own.
    Approved {
        /// Their name.
        by: String,
        /// The draft, or the reply they wrote instead.
        response: String,
        /// How it differs from the draft.
        rewrite: Rewrite,
        /// What became of the actions they agreed to.
        actions: Vec<ActionOutcome>,
    },
    /// A person refused the draft and takes the ticket over.
    Refused {
        /// Their name.
        by: String,
    },
}

/// Says whether a person has to agree to the draft, and to so many actions.
pub fn approval(case: Case<'_>, policy: &ApprovalPolicy, actions: usize) -> Approval {
    let category = &case.classification.category;
    let rule = policy.rule(category);
    if rule == ApprovalRule::Never {
        return Approval::NotNeeded;
    }
    let mut reasons = Vec::new();
    if rule == ApprovalRule::Always {
        reasons.push("the policy has a person approve every draft".to_owned());
    }
    if case.review.verdict != Verdict::Approve {
        reasons.push("the review asks for a person".to_owned());
    } else if let Some(least) = policy.least_score(category).filter(|least| case.review.score < *least) {
        reasons.push(format!("the score {:.2} is below {:.2}", case.review.score.get(), least.get()));
    }
    if policy.guards(category, case.extraction.issue_type) {
        reasons.push(format!("{} is a matter that a person decides", case.extraction.issue_type));
    }
    if actions > 0 {
        reasons.push("what is to be done besides the reply needs a person's word".to_owned());
    }
    if policy.least_confidence(category).is_some_and(|least| case.classification.confidence < least) {
        reasons.push("the category is unsure".to_owned());
    }
    if !case.extraction.risks.is_empty() {
        let risks: Vec<_> = case.extraction.risks.iter().map(|risk| risk.as_str()).collect();
        reasons.push(format!("risks: {}", risks.join(", ")));
    }
    if case.draft.action == Action::Handoff && policy.doubts(category) {
        reasons.push("the draft hands the ticket over".to_owned());
    }
    if reasons.is_empty() { Approval::NotNeeded } else { Approval::Needed(reasons) }
}

/// Ends triage as decided.
pub fn resolve(case: Case<'_>, taxonomy: &Taxonomy, decision: Decision) -> Resolution {
    let withheld = |decided_by| Resolution {
        final_response: None,
        action: Action::Handoff,
        routing: routing(case, taxonomy),
        decided_by,
        edited: false,
        rewrite: None,
        actions: Vec::new(),
    };
    match decision {
        // Nobody is asked by this policy, so that what the review withholds is a person's to answer.
        Decision::Policy if case.review.verdict != Verdict::Approve => withheld(DecidedBy::Policy),
        Decision::Policy => Resolution {
            final_response: Some(case.draft.text.clone()),
            action: case.draft.action,
            ..withheld(DecidedBy::Policy)
        },
        // The reply may say that it was done.
        Decision::Approved { by, actions, .. } if actions.iter().any(has_failed) => {
            Resolution { actions, ..withheld(DecidedBy::Person(by)) }
        }
        Decision::Approved { by, response, rewrite, actions } => Resolution {
            edited: response != case.draft.text,
            final_response: Some(response),
            action: case.draft.action,
            rewrite: Some(rewrite),
            actions,
            ..withheld(DecidedBy::Person(by))
        },
        Decision::Refused { by } => withheld(DecidedBy::Person(by)),
    }
}

fn has_failed(outcome: &ActionOutcome) -> bool {
    outcome.status == ActionStatus::Failed
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
            approval(self.case(), policy, 0) != Approval::NotNeeded
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
        assert!(approval(File::harmless().case(), &policy, 1) != Approval::NotNeeded);
    }

    /// By number of the change above: what a rule asks a person about.
    #[test]
    fn each_rule_asks_wherever_the_one_below_it_does() {
        let changes: [fn(&mut File); 7] = [
            |_| {},
            |file| file.review.verdict = Verdict::Human,
            |file| file.extraction.issue_type = IssueType::RefundRequest,
            |file| file.extraction.risks = vec![Risk::Injection],
            |file| file.review.score = Fraction::clamped(0.1),
            |file| file.classification.confidence = Fraction::clamped(0.1),
            |file| file.draft.action = Action::Handoff,
        ];
        let asked = |when| {
            let policy = ApprovalPolicy { when, ..ApprovalPolicy::default() };
            changes.map(|change| {
                let mut file = File::harmless();
                change(&mut file);
                file.needs_a_person(&policy)
            })
        };
        assert_eq!(asked(ApprovalRule::Always), [true; 7]);
        assert_eq!(asked(ApprovalRule::BelowConfidence), [false, true, true, true, true, true, true]);
        assert_eq!(asked(ApprovalRule::Guarded), [false, true, true, true, false, false, false]);
        assert_eq!(asked(ApprovalRule::Never), [false; 7]);
    }

    #[test]
    fn where_nobody_is_asked_what_the_review_withholds_is_handed_over() {
        let taxonomy = Taxonomy::built_in().unwrap();
        let mut file = File::harmless();
        file.review.verdict = Verdict::Human;
        let resolution = resolve(file.case(), &taxonomy, Decision::Policy);
        assert_eq!((resolution.final_response, resolution.action), (None, Action::Handoff));
    }

    fn approved(response: &str, actions: Vec<ActionOutcome>) -> Resolution {
        let (taxonomy, file) = (Taxonomy::built_in().unwrap(), File::harmless());
        let rewrite = Rewrite::between(&file.draft.text, response);
        let by = "Ada".to_owned();
        let decision = Decision::Approved { by, response: response.to_owned(), rewrite, actions };
        resolve(file.case(), &taxonomy, decision)
    }

    #[test]
    fn a_persons_words_replace_the_draft_and_are_marked() {
        let resolution = approved("Bye", Vec::new());
        assert_eq!((resolution.final_response.as_deref(), resolution.edited), (Some("Bye"), true));
        assert_eq!(resolution.decided_by, DecidedBy::Person("Ada".to_owned()));
        assert!(resolution.rewrite.unwrap().distance > Fraction::ZERO);
        assert!(!approved("Hello", Vec::new()).edited);
    }

    #[test]
    fn a_reply_is_withheld_when_what_it_may_speak_of_was_not_done() {
        let outcome = |status| ActionOutcome {
            name: "issue_refund".to_owned(),
            parameters: serde_json::Map::new(),
            status,
            idempotency_key: None,
            http_status: None,
            response: None,
            reason: None,
        };
        let failed =
            approved("We paid it back.", vec![outcome(ActionStatus::Done), outcome(ActionStatus::Failed)]);
        assert_eq!((failed.final_response, failed.action), (None, Action::Handoff));
        assert_eq!(failed.actions.len(), 2);
        let done =
            approved("We paid it back.", vec![outcome(ActionStatus::Done), outcome(ActionStatus::Declined)]);
        assert!(done.final_response.is_some());
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
