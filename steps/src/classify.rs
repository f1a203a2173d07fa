//! The step that tells what a ticket is about, how pressing it is and in which language and mood it was written.

use crate::{
    provider::{
        model::{Part, Task, Told, Unfit, schema},
        offline::Message,
    },
    settings::{Making, Triage},
};
use serde::Deserialize;
use serde_json::Value;
use ticketflow_engine::{Step, StepContext, StepError, StepOutcome};
use ticketflow_tickets::{
    language::Language,
    taxonomy::Priority,
    ticket::NewTicket,
    triage::{Classification, Fraction, Made, Sentiment, TriageStep},
};

/// Confidence of a model under which a person should check its category.
const SURE_FROM: f64 = 0.55;
/// Reasons of a model that are kept.
const MOST_REASONS: usize = 5;
/// Characters of a model's reason that are kept.
const LONGEST_REASON: usize = 200;

/// See the module.
#[derive(Debug)]
pub struct Classify(pub Triage);

impl Step for Classify {
    const NAME: &'static str = TriageStep::Classify.as_str();
    type Input = NewTicket;
    type Output = Made<Classification>;

    async fn run(
        &self,
        context: &StepContext,
        ticket: NewTicket,
    ) -> Result<StepOutcome<Self::Output>, StepError> {
        let task = ClassifyTask { triage: &self.0, ticket: &ticket };
        Ok(match self.0.make(context, &task).await? {
            Making::Made(made) => StepOutcome::Next(made),
            Making::Later(pause) => StepOutcome::Sleep(pause),
        })
    }
}

struct ClassifyTask<'a> {
    triage: &'a Triage,
    ticket: &'a NewTicket,
}

/// What a model answers.
#[derive(Debug, Deserialize)]
struct Answer {
    category: String,
    confidence: Fraction,
    priority: Priority,
    sentiment_score: Sentiment,
    language: Language,
    reasons: Vec<String>,
}

impl Task for ClassifyTask<'_> {
    const STEP: TriageStep = TriageStep::Classify;
    type Answer = Answer;
    type Result = Classification;

    fn evidence(&self) -> Vec<Part> {
        vec![self.triage.ticket_part(Message::from(self.ticket))]
    }

    fn schema(&self) -> Value {
        let categories = self.triage.taxonomy.categories().iter();
        let categories: Vec<&str> = categories.map(|entry| entry.name.as_str()).collect();
        schema::object([
            ("category", schema::one_of(&categories)),
            ("confidence", schema::number(0.0, 1.0, "probability that the category is right")),
            ("priority", schema::one_of(&schema::words(Priority::ALL, Priority::as_str))),
            ("sentiment_score", schema::integer(1, 10, "from 1, furious, to 10, delighted")),
            ("language", schema::fitting("^[a-z]{2}$", "ISO 639-1 code")),
            ("reasons", schema::array(&schema::string("a short reason"), "up to three")),
        ])
    }

    fn accept(&self, answer: Answer, _told: Told<'_>) -> Result<Classification, Unfit> {
        let category = self.triage.taxonomy.category(&answer.category);
        let ticket = self.triage.offline.customers_words(Message::from(self.ticket));
        let reasons = answer.reasons.iter().filter(|reason| !self.triage.offline.invents(reason, &ticket));
        let reasons = reasons.take(MOST_REASONS);
        Ok(Classification {
            category: category.map_err(|error| Unfit::because(format!("category: {error}")))?,
            confidence: answer.confidence,
            priority: answer.priority,
            sentiment_score: answer.sentiment_score,
            language: answer.language,
            reasons: reasons.map(|reason| reason.chars().take(LONGEST_REASON).collect()).collect(),
            needs_review: answer.confidence.get() < SURE_FROM,
        })
    }

    fn offline(&self) -> Result<Classification, StepError> {
        Ok(self.triage.offline.classify_ticket(self.ticket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        provider::{model::ModelSettings, offline::Offline},
        settings::TriagePolicy,
    };
    use serde_json::json;
    use sqlx::postgres::PgPoolOptions;
    use ticketflow_tickets::taxonomy::Taxonomy;

    #[tokio::test]
    async fn a_category_that_the_taxonomy_does_not_have_is_sent_back() {
        let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@localhost/nothing").unwrap();
        let offline = Offline::new(Taxonomy::built_in().unwrap()).unwrap();
        let triage = Triage::new(offline, TriagePolicy::default(), &ModelSettings::default(), pool).unwrap();
        let ticket = json!({ "subject": "s", "body": "b", "customer_id": "c-1" });
        let ticket: NewTicket = serde_json::from_value(ticket).unwrap();
        let task = ClassifyTask { triage: &triage, ticket: &ticket };
        let accepted = |category: &str| {
            let answer = json!({
                "category": category, "confidence": 0.9, "priority": "low", "sentiment_score": 5, "language": "en",
                "reasons": [],
            });
            task.accept(serde_json::from_value(answer).unwrap(), Told { prompt: "p", task: "t", mark: "m" })
        };
        assert_eq!(accepted("billing").unwrap().category.as_str(), "billing");
        let Unfit(problem) = accepted("money").unwrap_err();
        assert!(problem.contains("category") && problem.contains("money"), "{problem}");
    }
}
