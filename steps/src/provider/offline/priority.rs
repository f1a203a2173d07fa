//! Owns how pressing a ticket is: points from rules, bounded by the ceilings of those that hold.

use super::{
    OfflineError,
    text::{PhraseBook, Words},
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use ticketflow_tickets::{
    language::Language,
    taxonomy::Priority,
    ticket::Metadata,
    triage::{Risk, Sentiment},
};

const HIGH_FROM: i32 = 3;
const URGENT_FROM: i32 = 6;
const LOW_UP_TO: i32 = -3;
/// What a matter that waits by nature starts from.
const LEISURELY: i32 = -3;
/// Mood at which a ticket is looked at sooner.
const ANGRY: u8 = 2;
/// What an important customer adds.
const IMPORTANT: i32 = 2;
/// Fields of a ticket's metadata that say what a customer is, and what important ones are there.
const STANDING: [&str; 2] = ["tier", "plan"];
const IMPORTANT_STANDING: [&str; 3] = ["vip", "enterprise", "platinum"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rule: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    says: String,
    points: i32,
    ceiling: Priority,
    risk: Option<Risk>,
    phrases: BTreeMap<Language, Vec<String>>,
}

/// The rules.
#[derive(Debug)]
pub(super) struct PriorityRules {
    rules: Vec<Rule>,
    phrases: PhraseBook<usize>,
}

/// A priority and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Urgency {
    /// How soon.
    pub(super) priority: Priority,
    /// What decided.
    pub(super) reasons: Vec<String>,
}

/// What else bears on the priority.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// The matter waits by nature: an idea, thanks, a question about the company.
    pub(super) leisurely: bool,
    /// The customer's mood.
    pub(super) sentiment: Sentiment,
    /// The customer is [important](is_important).
    pub(super) important: bool,
}

/// Whether the metadata calls the customer important: `vip: true`, or a `tier` or `plan` of `vip`, `enterprise` or
/// `platinum`. The text is not asked: everybody could write it.
pub(super) fn is_important(metadata: &Metadata) -> bool {
    let fields = metadata.as_map();
    let standing = STANDING.iter().filter_map(|name| fields.get(*name)?.as_str());
    let mut important =
        standing.map(|standing| IMPORTANT_STANDING.iter().any(|name| standing.eq_ignore_ascii_case(name)));
    fields.get("vip").and_then(Value::as_bool).unwrap_or(false) || important.any(|important| important)
}

impl PriorityRules {
    /// Reads the rules that come with the program.
    pub(super) fn load() -> Result<Self, OfflineError> {
        let file: RuleFile = toml::from_str(include_str!("../../../data/priority.toml"))?;
        let mut phrases = PhraseBook::default();
        for (number, rule) in file.rule.iter().enumerate() {
            for (language, list) in &rule.phrases {
                for phrase in list {
                    phrases.add(*language, phrase, number)?;
                }
            }
        }
        Ok(Self { rules: file.rule, phrases })
    }

    /// How pressing the ticket is whose words are `words`.
    pub(super) fn urgency(&self, language: Language, words: &Words, around: Circumstances) -> Urgency {
        let holding = self.holding(language, words);
        let rules = || holding.iter().map(|(number, phrase)| (&self.rules[*number], phrase));
        let mut reasons: Vec<_> = rules().map(|(rule, phrase)| reason(rule, phrase)).collect();
        let mut points: i32 = rules().map(|(rule, _)| rule.points).sum();
        if around.sentiment.get() <= ANGRY {
            points += 1;
            reasons.push("priority: the customer is upset (+1)".to_owned());
        }
        if around.important {
            points += IMPORTANT;
            reasons.push(format!("priority: an important customer, as the metadata says (+{IMPORTANT})"));
        }
        if around.leisurely && !rules().any(|(rule, _)| rule.points >= HIGH_FROM) {
            points += LEISURELY;
            reasons.push(format!("priority: the matter can wait ({LEISURELY})"));
        }
        let ceiling = rules().map(|(rule, _)| rule.ceiling).max().unwrap_or(Priority::High);
        Urgency { priority: level(points).min(ceiling), reasons }
    }

    /// Risks that the rules name.
    pub(super) fn risks(&self, language: Language, words: &Words) -> BTreeSet<Risk> {
        self.holding(language, words).keys().filter_map(|number| self.rules[*number].risk).collect()
    }

    /// Rules that hold, each with the first phrase that made it hold.
    fn holding(&self, language: Language, words: &Words) -> BTreeMap<usize, &str> {
        let mut holding = BTreeMap::new();
        for place in self.phrases.matches(language, words) {
            holding.entry(*place.value).or_insert(place.phrase);
        }
        holding
    }
}

fn reason(rule: &Rule, phrase: &str) -> String {
    format!("priority: {} ({:+}, {}: “{}”)", rule.says, rule.points, rule.name, phrase.replace('*', "…"))
}

const fn level(points: i32) -> Priority {
    if points >= URGENT_FROM {
        Priority::Urgent
    } else if points >= HIGH_FROM {
        Priority::High
    } else if points <= LOW_UP_TO {
        Priority::Low
    } else {
        Priority::Medium
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(language: Language, text: &str) -> Priority {
        let around = Circumstances { leisurely: false, sentiment: Sentiment::NEUTRAL, important: false };
        PriorityRules::load().unwrap().urgency(language, &Words::of(text), around).priority
    }

    #[test]
    fn harm_that_grows_by_the_hour_is_urgent_in_every_language() {
        for (language, text) in [
            (Language::EN, "The site is down and we are losing money."),
            (Language::EN, "Someone is in my account right now!"),
            (Language::DE, "Mein Konto wurde gehackt."),
            (Language::ES, "Caída del servicio: no podemos cobrar a nadie."),
            (Language::FR, "Mon compte est piraté, il y a eu un piratage."),
            (Language::PT, "O site está fora do ar e estamos perdendo vendas."),
            (Language::VI, "Tài khoản của tôi bị hack rồi"),
        ] {
            assert_eq!(priority(language, text), Priority::Urgent, "{text}");
        }
    }

    #[test]
    fn money_and_lawyers_are_high_but_never_urgent() {
        let text = "You charged me twice, my lawyer will sue you, this is the fourth message, I demand it immediately, \
                    the deadline is Friday, all our users complain";
        assert_eq!(priority(Language::EN, text), Priority::High);
        assert_eq!(priority(Language::DE, "Es wurde doppelt abgebucht."), Priority::High);
    }

    #[test]
    fn every_rule_gives_its_reason() {
        let rules = PriorityRules::load().unwrap();
        for (text, reason) in [
            ("The site is down", "the service is down"),
            ("We are losing money", "business is lost"),
            ("You charged me twice", "money was taken"),
            ("The deadline is Friday", "a date is to be kept"),
            ("Someone is in my account", "wrong hands"),
            ("My lawyer will sue you", "legal steps"),
            ("All our users complain", "many people"),
            ("This is the fourth time I write, nobody answers", "written before"),
        ] {
            let around =
                Circumstances { leisurely: false, sentiment: Sentiment::parse(1).unwrap(), important: true };
            let reasons = rules.urgency(Language::EN, &Words::of(text), around).reasons;
            for part in [reason, "the customer is upset (+1)", "an important customer"] {
                assert!(reasons.iter().any(|told| told.contains(part)), "{text}: {reasons:?}");
            }
        }
    }

    #[test]
    fn a_customer_is_important_by_metadata_alone() {
        let important = |json: serde_json::Value| {
            is_important(&Metadata::parse(json.as_object().unwrap().clone()).unwrap())
        };
        for yes in [
            serde_json::json!({ "vip": true }),
            serde_json::json!({ "plan": "Enterprise" }),
            serde_json::json!({ "tier": "platinum", "plan": "free" }),
        ] {
            assert!(important(yes.clone()), "{yes}");
        }
        for no in [serde_json::json!({}), serde_json::json!({ "vip": "no", "plan": "business", "tier": 3 })] {
            assert!(!important(no.clone()), "{no}");
        }
        let rules = PriorityRules::load().unwrap();
        let around = Circumstances { leisurely: false, sentiment: Sentiment::NEUTRAL, important: true };
        let words = Words::of("As a VIP I cannot log in");
        assert_eq!(rules.urgency(Language::EN, &words, around).priority, Priority::High);
        let other = Circumstances { important: false, ..around };
        assert_eq!(rules.urgency(Language::EN, &words, other).priority, Priority::Medium);
    }

    #[test]
    fn what_can_wait_waits() {
        assert_eq!(priority(Language::EN, "Which limit applies? Just curious."), Priority::Low);
        assert_eq!(priority(Language::EN, "My invoice is wrong, no rush."), Priority::Medium);
        let around = Circumstances { leisurely: true, sentiment: Sentiment::NEUTRAL, important: false };
        let rules = PriorityRules::load().unwrap();
        assert_eq!(
            rules.urgency(Language::EN, &Words::of("Dark mode, please"), around).priority,
            Priority::Low
        );
        let hacked = rules.urgency(Language::EN, &Words::of("I was hacked"), around);
        assert_eq!(hacked.priority, Priority::Urgent);
        assert!(hacked.reasons[0].contains("hacked"), "{:?}", hacked.reasons);
    }
}
