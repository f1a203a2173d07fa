//! What each step's output adds to a ticket's row. An output that this version cannot read adds nothing: the log keeps
//! it all the same, and one odd output must not hold up the commits of other runs.

use super::patch::TicketPatch;
use crate::{
    clean,
    model::nanos,
    triage::{
        AiAccount, AiStatus, Classification, Conclusion, Draft, Extraction, Made, Research, Resolution,
        Review, SentBack, TriageStep,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

/// What the output of `step` changes.
pub(super) fn output_patch(step: &str, output: &RawValue) -> TicketPatch {
    let patch = TriageStep::parse(step).and_then(|step| match step {
        TriageStep::Classify => read(output).map(|made: Made<Classification>| accounted(&made, classified)),
        TriageStep::Extract => read(output).map(|made: Made<Extraction>| accounted(&made, extracted)),
        TriageStep::Research => read(output).map(|found| researched(&found)),
        TriageStep::Draft => read(output).map(|made: Made<Draft>| accounted(&made, drafted)),
        TriageStep::Review => read(output).map(|made: Made<Review>| accounted(&made, reviewed)),
        TriageStep::Finalize => read(output).map(|found| concluded(&found)),
    });
    patch.unwrap_or_default()
}

fn read<T: DeserializeOwned>(output: &RawValue) -> Option<T> {
    serde_json::from_str(output.get()).ok()
}

fn classified(found: &Classification) -> TicketPatch {
    TicketPatch {
        category: Some(found.category.to_string()),
        priority: Some(found.priority),
        confidence: Some(found.confidence.get()),
        language: Some(found.language.code()),
        sentiment: Some(found.sentiment_score.get().into()),
        needs_review: Some(found.needs_review),
        ..results([
            ("classification", json!(found.category)),
            ("category", json!(found.category)),
            ("confidence", json!(found.confidence)),
            ("priority", json!(found.priority)),
            ("sentiment_score", json!(found.sentiment_score)),
            ("language", json!(found.language)),
            ("reasons", json!(found.reasons)),
        ])
    }
}

fn extracted(found: &Extraction) -> TicketPatch {
    results([("entities", value(found))])
}

fn researched(found: &Research) -> TicketPatch {
    results([
        ("research", value(&found.articles)),
        ("earlier_tickets", value(&found.earlier_tickets)),
        ("similar_solved", value(&found.similar_solved)),
    ])
}

fn drafted(draft: &Draft) -> TicketPatch {
    TicketPatch {
        action: Some(draft.action.to_string()),
        ..results([
            ("draft", json!(draft.text)),
            ("cited_articles", json!(draft.cited_articles)),
            ("action", json!(draft.action)),
        ])
    }
}

fn reviewed(review: &Review) -> TicketPatch {
    results([("review", value(review))])
}

fn concluded(conclusion: &Conclusion) -> TicketPatch {
    match conclusion {
        Conclusion::Resolved(resolution) => resolved(resolution),
        Conclusion::Acting(acting) => results([("actions", value(&acting.outcomes))]),
        Conclusion::SentBack(SentBack { instructions, .. }) => {
            results([("instructions", json!(instructions))])
        }
    }
}

fn resolved(resolution: &Resolution) -> TicketPatch {
    TicketPatch {
        action: Some(resolution.action.to_string()),
        priority: Some(resolution.routing.priority),
        edit_distance: resolution.rewrite.as_ref().map(|rewrite| rewrite.distance.get()),
        ..results([
            ("final_response", json!(resolution.final_response)),
            ("action", json!(resolution.action)),
            ("priority", json!(resolution.routing.priority)),
            ("routing", value(&resolution.routing)),
            ("decided_by", value(&resolution.decided_by)),
            ("edited", json!(resolution.edited)),
            ("rewrite", value(&resolution.rewrite)),
            ("actions", value(&resolution.actions)),
        ])
    }
}

/// Adds the account of who made it to what a result changes.
fn accounted<T>(made: &Made<T>, patch: fn(&T) -> TicketPatch) -> TicketPatch {
    let patch = patch(&made.result);
    match &made.ai {
        Some(account) => patch.then(account_patch(account)),
        None => patch,
    }
}

fn account_patch(account: &AiAccount) -> TicketPatch {
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    let mut patch = TicketPatch {
        ai_fallback: account.ai_status == AiStatus::Fallback,
        tokens_input: account.tokens.map(|tokens| count(tokens.input)),
        tokens_output: account.tokens.map(|tokens| count(tokens.output)),
        cost_nanos: account.cost.map(nanos),
        ..results([
            ("provider", json!(account.provider)),
            ("model", json!(account.model)),
            ("prompt_version", json!(account.prompt_version)),
        ])
    };
    if let (Some(result), Some(reason)) = (&mut patch.result, account.fallback) {
        result.insert("fallback_reason".to_owned(), json!(reason));
    }
    patch
}

fn results<const N: usize>(entries: [(&str, Value); N]) -> TicketPatch {
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), clean::json(value)));
    TicketPatch { result: Some(entries.collect()), ..TicketPatch::default() }
}

/// A result as JSON; these types leave no way for that to fail.
fn value(result: &impl Serialize) -> Value {
    serde_json::to_value(result).unwrap_or_default()
}
