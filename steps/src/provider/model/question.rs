//! What a step wants of a model, and the look that is taken at every answer.

use super::{
    chat::{ChatAnswer, End},
    evidence::Part,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ticketflow_engine::StepError;
use ticketflow_tickets::triage::TriageStep;

/// A step's work on one ticket, by a model or offline.
pub(crate) trait Task: Sync {
    /// Which step.
    const STEP: TriageStep;
    /// What the model answers.
    type Answer: DeserializeOwned;
    /// What the step makes of it.
    type Result: Send;

    /// What the model is told.
    fn evidence(&self) -> Vec<Part>;

    /// What an answer has to look like.
    fn schema(&self) -> Value;

    /// The result, if the answer bears looking at: what is not in the evidence is left out, or the answer is unfit.
    fn accept(&self, answer: Self::Answer, prompt: &str) -> Result<Self::Result, Unfit>;

    /// The result without a model.
    fn offline(&self) -> Result<Self::Result, StepError>;
}

/// What is wrong with an answer, in words that help the model to mend it. Not for logs: it may quote the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) String);

impl Unfit {
    pub(crate) fn because(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// The object that an answer holds.
pub(super) fn object_in(answer: &ChatAnswer) -> Result<Value, Unfit> {
    if answer.end == End::CutOff {
        return Err(Unfit::because("it was cut off before its end: answer more briefly"));
    }
    // Models that are only asked to by the prompt put words or a code fence around it.
    let (Some(start), Some(end)) = (answer.text.find('{'), answer.text.rfind('}')) else {
        return Err(Unfit::because("it holds no JSON object"));
    };
    let object = answer.text.get(start..=end).unwrap_or_default();
    serde_json::from_str(object).map_err(|error| Unfit::because(format!("it is not valid JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str, end: End) -> Result<Value, Unfit> {
        object_in(&ChatAnswer { text: text.to_owned(), end, tokens: None })
    }

    #[test]
    fn the_object_is_found_among_words_and_fences() {
        for text in ["{\"a\":1}", " Sure:\n```json\n{\"a\":1}\n```\nAnything else?"] {
            assert_eq!(read(text, End::Done).unwrap(), json!({ "a": 1 }));
        }
    }

    #[test]
    fn what_holds_no_object_says_why() {
        for (text, end, why) in [
            ("I cannot.", End::Done, "no JSON object"),
            ("} {", End::Done, "not valid JSON"),
            ("{\"a\":", End::CutOff, "cut off"),
            ("{\"a\":}", End::Done, "not valid JSON"),
        ] {
            assert!(read(text, end).unwrap_err().0.contains(why), "{text}");
        }
    }
}
