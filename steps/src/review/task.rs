//! A review by a model, and the same checks as without one. The model can only make the verdict stricter.

use crate::{
    knowledge,
    provider::{
        model::{Part, Task, Told, Unfit, schema},
        offline::ReviewRequest,
    },
    settings::Triage,
};
use serde::Deserialize;
use serde_json::{Value, json};
use ticketflow_engine::StepError;
use ticketflow_tickets::triage::{Fraction, PolicyViolation, Review, TriageStep, Verdict, ViolationCode};

/// Notes and violations of a model that are kept.
const MOST: usize = 8;
/// Characters of each that are kept.
const LONGEST: usize = 200;

/// What is to be reviewed.
pub(super) struct ReviewTask<'a> {
    pub(super) triage: &'a Triage,
    pub(super) request: ReviewRequest<'a>,
}

/// What a model answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    verdict: Verdict,
    score: Fraction,
    notes: Vec<String>,
    policy_violations: Vec<PolicyViolation>,
}

impl Task for ReviewTask<'_> {
    const STEP: TriageStep = TriageStep::Review;
    type Answer = Answer;
    type Result = Review;

    fn evidence(&self) -> Vec<Part> {
        let (request, draft) = (&self.request, self.request.draft);
        let mut parts = vec![
            self.triage.ticket_part(request.message),
            knowledge::known_part(request.classification, request.extraction),
        ];
        parts.extend(knowledge::article_parts(&self.triage.offline, request.articles));
        let about = json!({ "action": draft.action, "cited_articles": draft.cited_articles });
        parts.push(Part::new("draft", format!("{about}\n{}", draft.text)));
        parts
    }

    fn schema(&self) -> Value {
        let violation = schema::object([
            ("code", schema::one_of(&schema::words(ViolationCode::ALL, ViolationCode::as_str))),
            ("detail", schema::string("the words of the draft")),
        ]);
        schema::object([
            ("verdict", schema::one_of(&schema::words(Verdict::ALL, Verdict::as_str))),
            ("score", schema::number(0.0, 1.0, "how good the draft is")),
            ("notes", schema::array(&schema::string("what to change"), "empty if nothing")),
            ("policy_violations", schema::array(&violation, "empty if nothing")),
        ])
    }

    fn accept(&self, mut answer: Answer, _told: Told<'_>) -> Result<Review, Unfit> {
        let (request, offline) = (&self.request, &self.triage.offline);
        let evidence = knowledge::text(offline, request.message, request.articles) + &request.draft.text;
        answer.notes.retain(|note| !offline.invents(note, &evidence));
        answer.policy_violations.retain(|violation| !offline.invents(&violation.detail, &evidence));
        Ok(stricter(offline.review(request), answer))
    }

    fn offline(&self) -> Result<Review, StepError> {
        Ok(self.triage.offline.review(&self.request))
    }
}

/// What the rules found, and what the model found besides.
fn stricter(rules: Review, model: Answer) -> Review {
    let verdict = rules.verdict.max(model.verdict);
    let mut notes = rules.notes;
    notes.extend(model.notes.iter().take(MOST).map(|note| cut(note)));
    let mut policy_violations = rules.policy_violations;
    for PolicyViolation { code, detail } in model.policy_violations.into_iter().take(MOST) {
        if !policy_violations.iter().any(|known| known.code == code) {
            policy_violations.push(PolicyViolation { code, detail: cut(&detail) });
        }
    }
    let score = if model.score < rules.score { model.score } else { rules.score };
    Review { verdict, score, notes, policy_violations }
}

fn cut(text: &str) -> String {
    text.trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(verdict: Verdict, score: f64) -> Review {
        let tone = PolicyViolation { code: ViolationCode::Tone, detail: "rude".into() };
        Review {
            verdict,
            score: Fraction::clamped(score),
            notes: vec!["n".into()],
            policy_violations: vec![tone],
        }
    }

    fn answer(verdict: Verdict, score: f64, codes: &[ViolationCode]) -> Answer {
        let found = codes.iter().map(|&code| PolicyViolation { code, detail: "x".repeat(500) });
        let (score, policy_violations) = (Fraction::clamped(score), found.collect());
        Answer { verdict, score, notes: vec!["m".into()], policy_violations }
    }

    #[test]
    fn a_model_can_make_a_verdict_stricter_and_never_milder() {
        for (rules, model, both) in [
            (Verdict::Human, Verdict::Approve, Verdict::Human),
            (Verdict::Revise, Verdict::Approve, Verdict::Revise),
            (Verdict::Approve, Verdict::Revise, Verdict::Revise),
            (Verdict::Revise, Verdict::Human, Verdict::Human),
            (Verdict::Approve, Verdict::Approve, Verdict::Approve),
        ] {
            assert_eq!(stricter(review(rules, 0.9), answer(model, 0.9, &[])).verdict, both);
        }
        assert_eq!(
            stricter(review(Verdict::Human, 0.4), answer(Verdict::Approve, 1.0, &[])).score,
            Fraction::clamped(0.4)
        );
        assert_eq!(
            stricter(review(Verdict::Approve, 0.9), answer(Verdict::Approve, 0.3, &[])).score,
            Fraction::clamped(0.3)
        );
    }

    #[test]
    fn what_a_model_finds_is_added_to_what_the_rules_found() {
        let found = [ViolationCode::Tone, ViolationCode::UnansweredAsk];
        let both = stricter(review(Verdict::Revise, 0.5), answer(Verdict::Revise, 0.5, &found));
        let codes: Vec<_> = both.policy_violations.iter().map(|violation| violation.code).collect();
        assert_eq!(codes, found);
        assert_eq!(both.policy_violations[1].detail.len(), LONGEST);
        assert_eq!(both.notes, ["n", "m"]);
    }
}
