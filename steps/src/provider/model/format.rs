//! How an answer's form is asked for: a ladder. A model that refuses a rung is asked by the next one, and from then on by
//! that one for a while: then the whole ladder is tried anew, for servers are mended, and a refusal may have been about
//! something else.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Mutex, PoisonError};

/// Refusals in a row, without a word about the form, after which the form is taken to be the reason.
const REPEATED: u32 = 3;
/// How long the lower rung is kept the first time.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(10);
/// The longest time, after as many trials in vain as it takes: each doubles it.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(1);

/// A rung of the ladder, the strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The server keeps the model to the schema.
    JsonSchema,
    /// The server keeps the model to JSON; the schema stands in the prompt.
    JsonObject,
    /// The prompt alone asks for JSON of the schema.
    Prompt,
}

impl Format {
    /// The word for it, in the configuration and in accounts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::JsonSchema => "json_schema",
            Self::JsonObject => "json_object",
            Self::Prompt => "prompt",
        }
    }

    /// The format of that name.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::JsonSchema, Self::JsonObject, Self::Prompt].into_iter().find(|format| format.word() == word)
    }

    /// The next rung; none below the last.
    pub(super) const fn below(self) -> Option<Self> {
        match self {
            Self::JsonSchema => Some(Self::JsonObject),
            Self::JsonObject => Some(Self::Prompt),
            Self::Prompt => None,
        }
    }
}

/// The rungs that a model is known to take, for all who ask it.
#[derive(Debug)]
pub(super) struct Ladder(Mutex<Standing>);

/// Where a ladder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    /// The strictest rung that is asked for at all.
    top: Format,
    /// The one that is asked for now.
    rung: Format,
    /// Refusals in a row of that one that did not say why.
    unexplained: u32,
    lowered: Option<Lowered>,
}

/// A ladder that does not stand at its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lowered {
    pause: TimeDelta,
    /// When somebody tries from the top.
    again_at: DateTime<Utc>,
}

/// Where one question begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// The rung.
    pub(super) rung: Format,
    /// Whether it is a trial of rungs that were refused.
    is_trial: bool,
}

/// What was said to the rungs above the one that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusals {
    /// Nothing: there were none.
    None,
    /// That the form is the reason, to each of them.
    OfTheForm,
    /// To one of them at least, no reason.
    Unexplained,
}

impl Refusals {
    /// With one more, which named the form as its reason or did not.
    pub(super) const fn and(self, names_form: bool) -> Self {
        match (self, names_form) {
            (Self::None | Self::OfTheForm, true) => Self::OfTheForm,
            (Self::Unexplained, true) | (_, false) => Self::Unexplained,
        }
    }
}

impl Ladder {
    pub(super) const fn from(top: Format) -> Self {
        Self(Mutex::new(Standing { top, rung: top, unexplained: 0, lowered: None }))
    }

    /// Where a question begins: once the pause is over, the first one tries from the top.
    pub(super) fn start(&self, now: DateTime<Utc>) -> Start {
        self.change(|standing| standing.start(now))
    }

    /// Takes to heart that a question was answered by `format` after those refusals.
    pub(super) fn answered(&self, start: Start, format: Format, refusals: Refusals, now: DateTime<Utc>) {
        self.change(|standing| standing.answered(start, format, refusals, now));
    }

    /// Every change is made at once: what a thread that panicked left behind is whole.
    fn change<T>(&self, change: impl FnOnce(&mut Standing) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Standing {
    fn start(&mut self, now: DateTime<Utc>) -> Start {
        match &mut self.lowered {
            Some(lowered) if now >= lowered.again_at => {
                // Whatever becomes of the trial, nobody else makes one meanwhile.
                lowered.again_at = now + lowered.pause;
                Start { rung: self.top, is_trial: true }
            }
            Some(_) | None => Start { rung: self.rung, is_trial: false },
        }
    }

    fn answered(&mut self, start: Start, format: Format, refusals: Refusals, now: DateTime<Utc>) {
        if start.is_trial {
            self.rung = self.rung.min(format);
            let longer = self.lowered.map_or(FIRST_PAUSE, |lowered| (lowered.pause * 2).min(LONGEST_PAUSE));
            self.lowered = (self.rung != self.top).then(|| Lowered::from(now, longer));
            self.unexplained = 0;
        } else if start.rung == self.rung {
            self.unexplained = match refusals {
                Refusals::None => 0,
                Refusals::Unexplained => self.unexplained + 1,
                Refusals::OfTheForm => REPEATED,
            };
            if self.unexplained >= REPEATED {
                *self = Self {
                    rung: format,
                    unexplained: 0,
                    lowered: Some(Lowered::from(now, FIRST_PAUSE)),
                    ..*self
                };
            }
        }
        // Else somebody moved the ladder while this question was under way.
    }
}

impl Lowered {
    fn from(now: DateTime<Utc>, pause: TimeDelta) -> Self {
        Self { pause, again_at: now + pause }
    }
}

#[cfg(test)]
mod tests {
    use super::{Format::*, *};

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    /// A question that is answered by `format`, and where it began.
    fn ask(ladder: &Ladder, minutes: i64, format: Format, refusals: Refusals) -> Format {
        let start = ladder.start(at(minutes));
        ladder.answered(start, format, refusals, at(minutes));
        start.rung
    }

    #[test]
    fn a_refusal_without_a_reason_lowers_it_only_when_it_repeats() {
        let ladder = Ladder::from(JsonSchema);
        for refusals in [Refusals::Unexplained, Refusals::Unexplained, Refusals::None] {
            let format = if refusals == Refusals::None { JsonSchema } else { JsonObject };
            assert_eq!(ask(&ladder, 0, format, refusals), JsonSchema);
        }
        for _ in 0..REPEATED {
            assert_eq!(ask(&ladder, 1, JsonObject, Refusals::Unexplained), JsonSchema);
        }
        assert_eq!(ladder.start(at(1)).rung, JsonObject);
    }

    #[test]
    fn a_refusal_of_the_form_lowers_it_at_once_and_after_a_pause_one_question_tries_anew() {
        let ladder = Ladder::from(JsonSchema);
        ask(&ladder, 0, Prompt, Refusals::OfTheForm);
        assert_eq!(ladder.start(at(9)).rung, Prompt);
        let trial = ladder.start(at(10));
        assert_eq!((trial.rung, ladder.start(at(10)).rung), (JsonSchema, Prompt));
        ladder.answered(trial, JsonObject, Refusals::OfTheForm, at(10));
        assert_eq!(ladder.start(at(29)).rung, JsonObject, "twice as long as before");
        assert_eq!(ask(&ladder, 30, JsonSchema, Refusals::None), JsonSchema);
        assert_eq!(ladder.start(at(30)), Start { rung: JsonSchema, is_trial: false });
    }

    #[test]
    fn trials_in_vain_come_once_a_day_at_last_and_never_go_above_what_was_set() {
        let ladder = Ladder::from(JsonObject);
        ask(&ladder, 0, Prompt, Refusals::OfTheForm);
        let mut trials = 0;
        for minutes in 0..60 * 24 * 10 {
            let start = ladder.start(at(minutes));
            assert!(start.rung >= JsonObject);
            trials += u32::from(start.is_trial);
            let refusals = if start.is_trial { Refusals::Unexplained } else { Refusals::None };
            ladder.answered(start, Prompt, refusals, at(minutes));
        }
        assert!((14..=17).contains(&trials), "{trials}");
    }

    #[test]
    fn questions_that_were_under_way_when_it_was_lowered_do_not_lower_it_again() {
        let ladder = Ladder::from(JsonSchema);
        let starts = [ladder.start(at(0)), ladder.start(at(0))];
        for start in starts {
            ladder.answered(start, JsonObject, Refusals::OfTheForm, at(0));
        }
        assert_eq!(ladder.start(at(10)).rung, JsonSchema, "the pause is still the first one");
    }

    #[test]
    fn refusals_are_of_the_form_only_if_all_of_them_say_so() {
        assert_eq!(Refusals::None.and(true).and(true), Refusals::OfTheForm);
        for refusals in
            [Refusals::None.and(false), Refusals::OfTheForm.and(false), Refusals::Unexplained.and(true)]
        {
            assert_eq!(refusals, Refusals::Unexplained);
        }
    }

    #[test]
    fn every_word_leads_back_to_its_format() {
        for format in [JsonSchema, JsonObject, Prompt] {
            assert_eq!(Format::parse(format.word()), Some(format));
        }
        assert_eq!(Format::parse("xml"), None);
    }
}
