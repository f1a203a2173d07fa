//! Owns the phrases and patterns that a draft must not hold.

use crate::provider::offline::{OfflineError, text::PhraseBook};
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use ticketflow_tickets::language::Language;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    promise: BTreeMap<Language, Vec<String>>,
    tone: BTreeMap<Language, Vec<String>>,
}

/// What a draft must not hold.
#[derive(Debug)]
pub(in super::super) struct ReviewRules {
    /// Promises of money, dates, guarantees.
    pub(super) promise: PhraseBook<()>,
    /// Blame, contempt, slang.
    pub(super) tone: PhraseBook<()>,
    placeholder: Regex,
    bare_host: Regex,
}

impl ReviewRules {
    /// Reads the rules that come with the program.
    pub(in super::super) fn load() -> Result<Self, OfflineError> {
        let file: RuleFile = toml::from_str(include_str!("../../../../data/review.toml"))?;
        Ok(Self {
            promise: PhraseBook::of_lists(file.promise)?,
            tone: PhraseBook::of_lists(file.tone)?,
            placeholder: Regex::new(
                r"(?i)\{\{|\}\}|\{%|%\}|\[(?:your|the|customer|insert|agent|company|first|last|order|product|amount|date|name|link|email)\b[^\]\n]{0,40}\]|<(?:your|customer|insert|agent|order|name|date)\b[^>\n]{0,40}>|\bTODO\b|\bXXX+\b|lorem ipsum",
            )?,
            bare_host: Regex::new(
                r"(?i)\b(?:[a-z0-9-]+\.)+(?:com|net|org|io|info|biz|ru|cn|xyz|top|click|link|shop|site|online|app|dev)\b",
            )?,
        })
    }

    /// What in `text` was to be filled in.
    pub(super) fn placeholders<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let holds = |word: &str| {
            text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
        };
        // Each begins with one of these; few drafts hold any.
        let may_hold_one =
            text.contains(['{', '}', '%', '[', '<']) || ["todo", "xxx", "lorem"].into_iter().any(holds);
        let found = may_hold_one.then(|| self.placeholder.find_iter(text));
        found.into_iter().flatten().map(|found| found.as_str())
    }

    /// Names of hosts in `text` without the scheme that makes them links.
    pub(super) fn bare_hosts<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let may_hold_one = text.split('.').skip(1).any(|after| after.starts_with(char::is_alphabetic));
        let found = may_hold_one.then(|| self.bare_host.find_iter(text));
        found.into_iter().flatten().map(|found| found.as_str())
    }
}
