//! Owns what the name of a property says about its value.

use super::{
    evidence::{Evidence, is_date, is_link},
    prose, words,
};

/// What a text has for a property of this name: `None` when the name asks for something that the text does not hold.
pub(super) fn strings(name: &str, evidence: &Evidence) -> Option<Vec<String>> {
    let name = name.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let tokens = |holds: &dyn Fn(&str) -> bool| -> Option<Vec<String>> {
        let found: Vec<String> = evidence.tokens.iter().filter(|token| holds(token)).cloned().collect();
        (!found.is_empty()).then_some(found)
    };
    if has(&["language", "lang"]) {
        return Some(vec![words::language(&evidence.lower).to_owned()]);
    }
    if has(&["email", "e_mail"]) {
        return tokens(&|token| token.contains('@') && token.contains('.'));
    }
    if has(&["url", "link"]) {
        return tokens(&is_link);
    }
    if has(&["phone"]) {
        return tokens(&|token| token.len() > 6 && token.chars().all(|c| c.is_ascii_digit()));
    }
    if has(&["date"]) {
        return tokens(&is_date);
    }
    if has(&["version"]) {
        return tokens(&|token| token.contains('.') && token.trim_start_matches('v').starts_with(digit));
    }
    if has(&["currency"]) {
        return tokens(&|token| ["EUR", "USD", "GBP", "BRL"].contains(&token));
    }
    if has(&["amount", "value", "price"]) {
        return tokens(&|token| token.starts_with(digit) && token.contains(['.', ',']));
    }
    if has(&["_id", "ids", "number", "code", "reference"]) || name == "id" {
        return codes(&name, evidence);
    }
    let replies = ["reply", "response", "draft", "answer", "body", "message"];
    if has(&replies) || name == "text" {
        return Some(vec![prose(evidence)]);
    }
    let asks = |sentence: &&String| sentence.ends_with('?') || sentence.to_lowercase().contains("please");
    if has(&["ask"]) {
        let asks: Vec<String> = evidence.sentences.iter().filter(asks).cloned().collect();
        return (!asks.is_empty()).then_some(asks);
    }
    (!evidence.sentences.is_empty()).then(|| evidence.sentences.clone())
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Codes that stand behind the word of the name: `order_id` wants one behind "order", or one that begins like it.
fn codes(name: &str, evidence: &Evidence) -> Option<Vec<String>> {
    let word = name.split('_').next().unwrap_or(name);
    let start: String = word.chars().take(3).collect();
    let tokens = evidence.tokens.iter();
    let near = |at: usize| {
        evidence.tokens[at.saturating_sub(2)..at].iter().any(|token| token.to_lowercase().starts_with(&start))
    };
    let found: Vec<String> = tokens
        .enumerate()
        .filter(|(at, token)| {
            super::evidence::is_code(token) && (near(*at) || token.to_lowercase().starts_with(&start))
        })
        .map(|(_, token)| token.clone())
        .collect();
    let any = ["id", "ids", "number", "code", "codes", "reference"].contains(&word);
    let found = if any { evidence.codes().cloned().collect() } else { found };
    (!found.is_empty()).then_some(found)
}
