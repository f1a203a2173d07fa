//! Short tickets in six languages, written without looking at the word lists.

use crate::desk::{Desk, labelled};

#[test]
fn other_phrasings_are_read_right() {
    let desk = Desk::open();
    let tickets = labelled("tests/offline/data/phrasings.jsonl").unwrap();
    let (mut language, mut category, mut priority) = (0, 0, 0);
    for ticket in &tickets {
        let found = desk.offline.classify(ticket.message());
        language += usize::from(found.language.code() == ticket.label("language"));
        category += usize::from(found.category.as_str() == ticket.label("category"));
        priority += usize::from(found.priority.as_str() == ticket.label("priority"));
    }
    println!("of {}: language {language}, category {category}, priority {priority}", tickets.len());
    let most = tickets.len() * 9 / 10;
    assert!(language >= most && category >= most && priority >= most, "{language} {category} {priority}");
}

#[test]
fn their_drafts_pass_every_check() {
    let desk = Desk::open();
    for ticket in labelled("tests/offline/data/phrasings.jsonl").unwrap() {
        let outcome = desk.work(ticket.message());
        assert_eq!(outcome.review.policy_violations, [], "{}\n{}", ticket.subject, outcome.draft.text);
    }
}
