//! What a support lead would look for in a draft before sending it.

use crate::desk::{Desk, Outcome};
use ticketflow_steps::provider::offline::Message;
use ticketflow_tickets::triage::Action;

fn work(subject: &str, body: &str) -> Outcome {
    Desk::open().work(Message { subject, body })
}

#[test]
fn the_customer_is_greeted_by_the_name_a_letter_is_signed_with() {
    let tickets = [
        (
            "Hello Jane Roe,",
            "Where is order 48213?",
            "Where is my parcel? It is late.\n\nKind regards,\nJane Roe",
        ),
        (
            "Guten Tag Jörg Beck,",
            "Bestellung 48213",
            "Wo bleibt meine Bestellung 48213?\nViele Grüße\nJörg Beck",
        ),
        (
            "Hola, Ana Gil:",
            "Pedido 48213",
            "¿Dónde está mi pedido 48213? No ha llegado.\nUn saludo,\nAna Gil",
        ),
        ("Bonjour Zoé Petit,", "Commande 48213", "Où est ma commande 48213 ?\nCordialement,\nZoé Petit"),
        ("Olá, Rui Melo,", "Pedido 48213", "Onde está o meu pedido 48213?\nObrigado,\nRui Melo"),
        ("Xin chào Lê Minh,", "Đơn hàng 48213", "Đơn hàng 48213 của tôi ở đâu rồi?\nTrân trọng,\nLê Minh"),
    ];
    for (greeting, subject, body) in tickets {
        let draft = work(subject, body).draft.text;
        assert!(draft.starts_with(&format!("{greeting}\n")), "{draft}");
    }
    let nobody = work("Where is order 48213?", "Where is my parcel? It is late.\n\nRegards,\na customer");
    assert!(nobody.draft.text.starts_with("Hello,\n"), "{}", nobody.draft.text);
}

#[test]
fn an_article_about_something_else_is_not_shown() {
    for (subject, body) in [
        ("Transfer between accounts", "ok transfer everything in account 1477 into account 1547"),
        ("New office", "I would like to have internet service for my new office."),
        (
            "Becoming a reseller",
            "Do you work with independent retailers, and is there a minimum first order?",
        ),
    ] {
        let outcome = work(subject, body);
        assert_eq!(outcome.draft.cited_articles, [], "{}", outcome.draft.text);
        assert_eq!(outcome.draft.action, Action::Handoff, "{}", outcome.draft.text);
    }
}

#[test]
fn of_the_steps_for_several_errors_only_the_tickets_own_are_shown() {
    let draft =
        work("API answers 429", "Our API calls answer with error 429. What can we do about it?").draft;
    assert!(draft.text.contains("Retry-After"), "{}", draft.text);
    assert!(!draft.text.contains("for error 401"), "{}", draft.text);
    let plain = work("API questions", "Which errors does your API answer with, and what do they mean?").draft;
    assert!(plain.text.contains("for error 401"), "{}", plain.text);
}

#[test]
fn exactly_what_is_missing_is_asked_for() {
    let without = work("Damaged lamp", "The lamp arrived broken. Can I get another one?");
    assert_eq!(without.draft.action, Action::Ask);
    assert!(without.draft.text.contains("the order number"), "{}", without.draft.text);
    assert!(without.draft.text.contains("photos of the item"), "{}", without.draft.text);
    let with =
        work("Damaged lamp", "The lamp of order 48213 arrived broken, photos are below. Can I get another?");
    assert_eq!(with.draft.action, Action::Reply);
    assert!(!with.draft.text.contains("need from you"), "{}", with.draft.text);
    assert!(!with.draft.text.contains("also send us"), "{}", with.draft.text);
}

#[test]
fn a_subject_that_only_repeats_the_message_is_not_quoted_and_another_is() {
    let message = "on which days are you there for us in oslo, and from when until when";
    let repeated = work("on which days are you there for us", message).draft.text;
    assert!(repeated.starts_with("Hello,\n\nThank you for your message."), "{repeated}");
    let named = work("A visit in Oslo", message).draft.text;
    assert!(named.contains("“A visit in Oslo”"), "{named}");
}

#[test]
fn praise_is_answered_with_thanks_alone() {
    let draft =
        work("Just wanted to say thank you", "Great service! Please pass it on to the person I spoke to.");
    assert!(draft.draft.text.contains("Your words are passed on"), "{}", draft.draft.text);
    assert!(!draft.draft.text.contains("this point"), "{}", draft.draft.text);
}
