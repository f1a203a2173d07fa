//! Short tickets in six languages, written without looking at the word lists.

use crate::desk::{Desk, labelled};
use ticketflow_steps::provider::offline::Message;

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

#[test]
fn a_draft_is_written_in_the_tickets_language() {
    let desk = Desk::open();
    for ticket in labelled("tests/offline/data/phrasings.jsonl").unwrap() {
        let draft = desk.work(ticket.message()).draft;
        assert_eq!(draft.language.code(), ticket.label("language"), "{}\n{}", ticket.subject, draft.text);
    }
}

#[test]
fn a_language_without_templates_is_answered_in_english_with_an_apology() {
    let desk = Desk::open();
    for (subject, body) in [
        (
            "Waar is mijn bestelling?",
            "Hallo, mijn bestelling 48213 is nog niet aangekomen. Waar is het pakket?",
        ),
        ("Dov'è il mio ordine?", "Buongiorno, il mio ordine 48213 non è ancora arrivato. Quando arriva?"),
        ("Где мой заказ?", "Здравствуйте, заказ 48213 до сих пор не пришёл. Где моя посылка?"),
    ] {
        let text = desk.work(Message { subject, body }).draft.text;
        assert!(text.contains("we can answer in English only"), "{text}");
    }
}
