//! What a step wants of a model, and the look that is taken at every answer.

use super::{
    chat::{ChatAnswer, End},
    evidence::Part,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ticketflow_engine::StepError;
use ticketflow_tickets::triage::TriageStep;

/// Words of a prompt in a row that nobody says by chance.
const SHOWN: usize = 8;

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
    fn accept(&self, answer: Self::Answer, told: Told<'_>) -> Result<Self::Result, Unfit>;

    /// The result without a model.
    fn offline(&self) -> Result<Self::Result, StepError>;
}

/// What a model was told besides the evidence. It is for nobody else's eyes: prompts may say what a site keeps to itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// Name and hash of the prompt.
    pub(crate) prompt: &'a str,
    /// What the prompt says.
    pub(crate) task: &'a str,
    /// What the marks around the evidence end in.
    pub(crate) mark: &'a str,
}

impl Told<'_> {
    /// Whether `text` shows any of it: a mark, or so many words of the prompt in a row.
    pub(crate) fn shows_in(self, text: &str) -> bool {
        let (task, words) = (plain(self.task), plain(text));
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut rows = words.windows(SHOWN).map(|row| format!(" {} ", row.join(" ")));
        text.contains(self.mark) || rows.any(|row| task.contains(&row))
    }
}

/// The words of a text in small letters, a blank around each.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(" ".to_owned(), |line, word| line + &word.to_lowercase() + " ")
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
    fn prompts_and_marks_are_seen_in_a_text_and_a_few_common_words_are_not() {
        let told = Told {
            prompt: "draft@0",
            task: "You draft replies for a support desk.\nCustomers get it only then, and the code word is *Aurora*.",
            mark: "5f0a1b2c3d4e5f60",
        };
        for text in [
            "Sure: “Support desk. Customers get it only then; and the code word …”",
            "See ticket-5f0a1b2c3d4e5f60.",
        ] {
            assert!(told.shows_in(text), "{text}");
        }
        for text in
            ["", "Customers get it only then, and the parcel is on its way.", "You draft replies for us?"]
        {
            assert!(!told.shows_in(text), "{text}");
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
