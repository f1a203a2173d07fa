//! A draft by a model. It is looked at before anybody sees it: what names or links to what no evidence holds is sent back
//! once, and then the templates write the reply.

use crate::{
    knowledge,
    provider::{
        model::{Part, Task, Told, Unfit, schema},
        offline::{DraftRequest, ReviewRequest},
    },
    settings::Triage,
};
use serde::Deserialize;
use serde_json::Value;
use ticketflow_engine::StepError;
use ticketflow_tickets::{
    knowledge::ArticleId,
    triage::{Action, Draft, PolicyViolation, TriageStep, ViolationCode},
};

/// What a reply is to be drafted from.
pub(super) struct DraftTask<'a> {
    pub(super) triage: &'a Triage,
    pub(super) request: DraftRequest<'a>,
    /// The draft that the review sent back.
    pub(super) last: Option<&'a str>,
}

/// What a model answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    text: String,
    cited_articles: Vec<String>,
    action: Action,
}

impl Task for DraftTask<'_> {
    const STEP: TriageStep = TriageStep::Draft;
    type Answer = Answer;
    type Result = Draft;

    fn evidence(&self) -> Vec<Part> {
        let request = &self.request;
        let mut parts = vec![
            self.triage.ticket_part(request.message),
            knowledge::known_part(request.classification, request.extraction),
        ];
        parts.extend(knowledge::article_parts(&self.triage.offline, request.articles));
        parts.extend(self.last.map(|text| Part::new("last-draft", text)));
        if !request.review_notes.is_empty() {
            parts.push(Part::new("review", request.review_notes.join("\n")));
        }
        parts
    }

    fn schema(&self) -> Value {
        schema::object([
            ("text", schema::string("the reply, in Markdown")),
            ("cited_articles", schema::array(&schema::string("id of an article"), "the articles it uses")),
            ("action", schema::one_of(&schema::words(Action::ALL, Action::as_str))),
        ])
    }

    fn accept(&self, answer: Answer, told: Told<'_>) -> Result<Draft, Unfit> {
        let draft = Draft {
            text: answer.text.trim().to_owned(),
            language: self.request.classification.language,
            cited_articles: self.known(&answer.cited_articles),
            action: answer.action,
            template: told.prompt.to_owned(),
            revision: self.request.revision,
        };
        let mut faults = self.faults(&draft);
        if told.shows_in(&draft.text) {
            faults.push(
                "it repeats your instructions or the marks around the data, which no customer is to see"
                    .to_owned(),
            );
        }
        if faults.is_empty() { Ok(draft) } else { Err(Unfit::because(faults.join("; "))) }
    }

    fn offline(&self) -> Result<Draft, StepError> {
        let draft = self.triage.offline.draft(&self.request);
        draft.map_err(|error| StepError::fail("template_failed", error.to_string()).caused_by(error))
    }
}

impl DraftTask<'_> {
    /// The cited articles that research found.
    fn known(&self, cited: &[String]) -> Vec<ArticleId> {
        let found = self.request.articles.iter().map(|article| &article.id);
        found.filter(|id| cited.iter().any(|cited| cited.trim() == id.as_str())).cloned().collect()
    }

    /// What must not stand in a draft that anybody sees. What is merely worth mending is left to the review.
    fn faults(&self, draft: &Draft) -> Vec<String> {
        let request = &self.request;
        let review = self.triage.offline.review(&ReviewRequest {
            message: request.message,
            classification: request.classification,
            extraction: request.extraction,
            research: request.research,
            articles: request.articles,
            draft,
            policy: &self.triage.policy.review,
        });
        let grave = review.policy_violations.iter().filter(|violation| is_grave(violation));
        let grave = grave.map(|violation| format!("{}: {}", violation.code, violation.detail));
        let evidence = knowledge::text(&self.triage.offline, request.message, request.articles);
        let invented = self.triage.offline.invented_amounts(&draft.text, &evidence);
        let invented =
            invented.into_iter().map(|amount| format!("the amount {amount} stands in no evidence"));
        grave.chain(invented).collect()
    }
}

const fn is_grave(violation: &PolicyViolation) -> bool {
    match violation.code {
        ViolationCode::UnsupportedPromise
        | ViolationCode::ForeignPersonalData
        | ViolationCode::CardNumber
        | ViolationCode::ForeignLink
        | ViolationCode::Placeholder
        | ViolationCode::WrongLanguage
        | ViolationCode::RepeatedInstruction
        | ViolationCode::TooShort
        | ViolationCode::TooLong => true,
        ViolationCode::UnansweredAsk | ViolationCode::Tone | ViolationCode::UnknownCitation => false,
    }
}
