//! The sample tickets through all steps.

use crate::desk::{Desk, samples};
use std::collections::BTreeMap;
use ticketflow_tickets::{taxonomy::Priority, triage::Verdict};

#[test]
fn samples_are_read_right() {
    let desk = Desk::open();
    let (mut language, mut category, mut priority) = (0, 0, 0);
    for sample in samples() {
        let found = desk.offline.classify(sample.message());
        language += usize::from(found.language.code() == sample.label("language"));
        category += usize::from(found.category.as_str() == sample.label("expected_category"));
        priority += usize::from(found.priority.as_str() == sample.label("expected_priority"));
        let missed = sample.label("expected_priority") == "urgent" && found.priority == Priority::Low;
        assert!(!missed, "urgent ticket taken for low: {}", sample.subject);
    }
    println!("of 52 samples: language {language}, category {category}, priority {priority}");
    assert!(language >= 50 && category >= 44 && priority >= 36, "{language} {category} {priority}");
}

#[test]
fn whatever_is_extracted_stands_in_the_ticket() {
    let desk = Desk::open();
    for sample in samples() {
        let text = format!("{}\n\n{}", sample.subject, sample.body);
        let found = desk.work(sample.message()).extraction;
        let amounts = found.amounts.iter().map(|amount| &amount.text);
        let dates = found.dates.iter().map(|date| &date.text);
        let plain = [&found.order_ids, &found.invoice_ids, &found.emails, &found.phones, &found.error_codes];
        let more = [&found.versions, &found.urls, &found.asks];
        let lists = plain.into_iter().chain(more).flatten();
        for entity in lists.chain(&found.order_id).chain(&found.product).chain(amounts).chain(dates) {
            assert!(text.contains(entity.as_str()), "{entity:?} is not in {:?}", sample.subject);
        }
    }
}

#[test]
fn the_first_draft_of_a_sample_passes_every_check() {
    let desk = Desk::open();
    for sample in samples() {
        let outcome = desk.work(sample.message());
        assert_eq!(outcome.review.policy_violations, [], "{}\n{}", sample.subject, outcome.draft.text);
        assert_eq!(outcome.draft.revision, 0, "{}", sample.subject);
        assert_ne!(outcome.review.verdict, Verdict::Revise);
        for open in ["{{", "}}", "{%", "[name]"] {
            assert!(!outcome.draft.text.contains(open), "{}", outcome.draft.text);
        }
        for cited in &outcome.draft.cited_articles {
            assert!(outcome.research.articles.iter().any(|hit| hit.article_id == *cited), "{cited}");
        }
    }
}

#[test]
fn drafts_of_distinct_tickets_differ() {
    let desk = Desk::open();
    let mut drafts: BTreeMap<String, String> = BTreeMap::new();
    for sample in samples() {
        let text = desk.work(sample.message()).draft.text;
        if let Some(other) = drafts.insert(text.clone(), sample.subject.clone()) {
            panic!("{:?} and {other:?} get the same draft:\n{text}", sample.subject);
        }
    }
}

#[test]
fn a_draft_names_the_order_and_is_written_in_the_customers_language() {
    let desk = Desk::open();
    for sample in samples() {
        let outcome = desk.work(sample.message());
        assert_eq!(outcome.draft.language.code(), sample.label("language"), "{}", sample.subject);
        if let (Some(order), "order") =
            (&outcome.extraction.order_id, outcome.classification.category.as_str())
        {
            assert!(outcome.draft.text.contains(order.as_str()), "{order}: {}", outcome.draft.text);
        }
    }
}
