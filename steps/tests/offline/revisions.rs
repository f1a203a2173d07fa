//! A faulty draft is sent back with notes, and the next draft mends what they name.

use crate::desk::{Desk, Outcome, samples};
use ticketflow_steps::provider::offline::{DraftRequest, Message};
use ticketflow_tickets::{
    knowledge::ArticleId,
    language::Language,
    triage::{Draft, Review, Verdict, ViolationCode},
};

const TICKET: Message<'_> = Message {
    subject: "Parcel for order 48213 has not arrived",
    body: "Hello, order 48213 was due on Monday and has not arrived. Where is my parcel? Can you search for it?",
};

fn review(desk: &Desk, outcome: &Outcome, draft: &Draft) -> Review {
    desk.review(TICKET, outcome, draft)
}

fn codes(review: &Review) -> Vec<ViolationCode> {
    review.policy_violations.iter().map(|violation| violation.code).collect()
}

/// What a model might add, and what the review must call it.
const ADDITIONS: [(&str, ViolationCode); 15] = [
    ("We will refund 50 euros within 3 days.", ViolationCode::UnsupportedPromise),
    ("We guarantee that it arrives.", ViolationCode::UnsupportedPromise),
    ("You get 25 euros back for it.", ViolationCode::UnsupportedPromise),
    ("It is with you on 14 March.", ViolationCode::UnsupportedPromise),
    ("Write to jane.roe@example.org about it.", ViolationCode::ForeignPersonalData),
    ("It is the same as order 99999.", ViolationCode::ForeignPersonalData),
    ("Call +44 20 7946 0958 for help.", ViolationCode::ForeignPersonalData),
    ("Your card 4111 1111 1111 1111 was used.", ViolationCode::CardNumber),
    ("It is your own fault.", ViolationCode::Tone),
    ("PLEASE READ THE WHOLE PAGE NOW", ViolationCode::Tone),
    ("See https://help.example.com.evil.net/x for more.", ViolationCode::ForeignLink),
    ("See tracking-help.xyz for more.", ViolationCode::ForeignLink),
    ("Dear [customer name],", ViolationCode::Placeholder),
    ("Your parcel {{ order_id }} is on its way.", ViolationCode::Placeholder),
    ("A very long sentence about nothing. ", ViolationCode::TooLong),
];

#[test]
fn every_fault_is_found_and_mended() {
    let desk = Desk::open();
    let outcome = desk.work(TICKET);
    assert_eq!(outcome.review.verdict, Verdict::Approve, "{:?}", outcome.review);
    for (addition, code) in ADDITIONS {
        let times = if code == ViolationCode::TooLong { 200 } else { 1 };
        let faulty = Draft {
            text: format!("{}\n\n{}", outcome.draft.text, addition.repeat(times)),
            ..outcome.draft.clone()
        };
        let found = review(&desk, &outcome, &faulty);
        assert!(codes(&found).contains(&code), "{addition}: {:?}", found.policy_violations);
        assert_eq!(found.verdict, Verdict::Revise, "{addition}");
        assert!(found.score < outcome.review.score, "{addition}");
        let next = redraft(&desk, &outcome, &found.notes);
        let reviewed = review(&desk, &outcome, &next);
        assert_eq!(reviewed.policy_violations, [], "{addition}: {}", next.text);
        assert_ne!(reviewed.verdict, Verdict::Revise, "{addition}");
    }
}

/// What a customer may ask to be said is not thereby fit to be said.
#[test]
fn a_code_that_nothing_is_known_of_goes_to_a_person() {
    let desk = Desk::open();
    let body = format!("{} My voucher: PWNED-2001.", TICKET.body);
    let ticket = Message { body: &body, ..TICKET };
    let outcome = desk.work(ticket);
    assert_eq!(outcome.review.verdict, Verdict::Approve, "{:?}", outcome.review);
    let verdict = |outcome: &Outcome, said: &str| {
        let draft =
            Draft { text: format!("{}\n\n{said}", outcome.draft.text), revision: 2, ..outcome.draft.clone() };
        let review = desk.review(ticket, outcome, &draft);
        (review.verdict, review.notes.join(" "))
    };
    for said in ["It is PWNED-2001.", "You wrote: “PWNED-2001”.", "See ticket-5f0a1b2c3d4e5f60."] {
        let (verdict, notes) = verdict(&outcome, said);
        assert_eq!(verdict, Verdict::Human, "{said}");
        assert!(notes.contains("of which nothing is known"), "{notes}");
    }
    let (known, notes) = verdict(&outcome, "It is about order 48213, and we are here 24/7.");
    assert_eq!(known, Verdict::Approve, "{notes}");
    let mut corrected = outcome;
    corrected.extraction.order_ids.push("XK4821Z".to_owned());
    let (verdict, notes) = verdict(&corrected, "It is about XK4821Z.");
    assert_eq!(verdict, Verdict::Approve, "an operator put it there: {notes}");
}

/// A ticket in each language that drafts are written in, with a promise and an insult that its reply must not hold.
const IN_EVERY_LANGUAGE: [(Message<'_>, &str, &str); 6] = [
    (
        Message {
            subject: "Parcel for order 48213 is missing",
            body: "Hello, where is my parcel for order 48213?",
        },
        "We guarantee that you will be refunded.",
        "Calm down, it is your own fault.",
    ),
    (
        Message {
            subject: "Bestellung 48213 ist nicht da",
            body: "Guten Tag, wo bleibt meine Bestellung 48213? Sie ist noch nicht angekommen.",
        },
        "Wir garantieren, dass der Betrag morgen erstattet wird.",
        "Beruhigen Sie sich, das ist Ihre Schuld.",
    ),
    (
        Message {
            subject: "Mi pedido 48213 no ha llegado",
            body: "Hola, ¿dónde está mi pedido 48213? Todavía no ha llegado.",
        },
        "Le aseguramos que le devolveremos el dinero.",
        "Cálmese, no es nuestro problema.",
    ),
    (
        Message {
            subject: "Commande 48213 pas arrivée",
            body: "Bonjour, où est ma commande 48213 ? Je ne l'ai pas encore reçue.",
        },
        "Nous vous promettons que vous recevrez un remboursement.",
        "Calmez-vous, ce n'est pas notre problème.",
    ),
    (
        Message {
            subject: "O pedido 48213 não chegou",
            body: "Olá, onde está o meu pedido 48213? Ainda não chegou aqui.",
        },
        "Garantimos que vamos reembolsar o valor.",
        "Acalme-se, não é problema nosso.",
    ),
    (
        Message {
            subject: "Đơn hàng 48213 chưa đến",
            body: "Xin chào, đơn hàng 48213 của tôi ở đâu rồi? Tôi vẫn chưa nhận được hàng.",
        },
        "Chúng tôi đảm bảo bạn sẽ được hoàn tiền.",
        "Bình tĩnh lại, đây là lỗi do bạn ngu ngốc.",
    ),
];

#[test]
fn promises_and_insults_are_found_in_every_language_that_drafts_are_written_in() {
    let desk = Desk::open();
    for (ticket, promise, insult) in IN_EVERY_LANGUAGE {
        let outcome = desk.work(ticket);
        let language = outcome.classification.language;
        assert_eq!(outcome.draft.language, language, "{}", outcome.draft.text);
        assert_eq!(outcome.review.policy_violations, [], "{language}: {}", outcome.draft.text);
        for (bad, code) in [(promise, ViolationCode::UnsupportedPromise), (insult, ViolationCode::Tone)] {
            let text = format!("{}\n\n{bad}", outcome.draft.text);
            let found = desk.review(ticket, &outcome, &Draft { text, ..outcome.draft.clone() });
            assert!(codes(&found).contains(&code), "{language}: {bad}: {found:?}");
        }
    }
}

/// What an operator corrected may be said; the same number out of the air may not.
#[test]
fn what_an_operator_put_into_the_extraction_is_evidence() {
    let desk = Desk::open();
    let mut outcome = desk.work(TICKET);
    let number = "ORD-77316".to_owned();
    let said = Draft {
        text: format!("{}\n\nIt is about order {number}.", outcome.draft.text),
        ..outcome.draft.clone()
    };
    assert!(codes(&review(&desk, &outcome, &said)).contains(&ViolationCode::ForeignPersonalData));
    outcome.extraction.order_id = Some(number.clone());
    outcome.extraction.order_ids = vec![number.clone()];
    assert_eq!(review(&desk, &outcome, &said).policy_violations, []);
    let drafted = redraft(&desk, &outcome, &[]);
    assert!(drafted.text.contains(&number), "{}", drafted.text);
    let reviewed = review(&desk, &outcome, &drafted);
    assert_eq!((reviewed.policy_violations.as_slice(), reviewed.verdict), ([].as_slice(), Verdict::Approve));
}

fn redraft(desk: &Desk, outcome: &Outcome, notes: &[String]) -> Draft {
    let request = DraftRequest {
        message: TICKET,
        classification: &outcome.classification,
        extraction: &outcome.extraction,
        research: &outcome.research,
        articles: &desk.contents(),
        review_notes: notes,
        revision: 1,
    };
    desk.offline.draft(&request).unwrap()
}

#[test]
fn a_draft_that_leaves_out_an_ask_is_sent_back() {
    let desk = Desk::open();
    let outcome = desk.work(TICKET);
    let text = "Hello,\n\nThank you for your message. The weather here is lovely today, and we hope you enjoy it.\n\nKind regards";
    let found = review(
        &desk,
        &outcome,
        &Draft { text: text.to_owned(), cited_articles: Vec::new(), ..outcome.draft.clone() },
    );
    assert!(codes(&found).contains(&ViolationCode::UnansweredAsk), "{found:?}");
}

#[test]
fn a_draft_in_another_language_or_of_two_words_is_sent_back() {
    let desk = Desk::open();
    let outcome = desk.work(TICKET);
    let german = "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Wir sehen uns die Bestellung 48213 und das Paket an und melden uns bei Ihnen.";
    let found = review(
        &desk,
        &outcome,
        &Draft { text: german.to_owned(), language: Language::EN, ..outcome.draft.clone() },
    );
    assert!(codes(&found).contains(&ViolationCode::WrongLanguage), "{found:?}");
    let short = review(&desk, &outcome, &Draft { text: "Thank you.".to_owned(), ..outcome.draft.clone() });
    assert!(codes(&short).contains(&ViolationCode::TooShort), "{short:?}");
}

#[test]
fn a_citation_out_of_the_air_is_sent_back() {
    let desk = Desk::open();
    let outcome = desk.work(TICKET);
    let invented = ArticleId::parse("free-money").unwrap();
    let found = review(&desk, &outcome, &Draft { cited_articles: vec![invented], ..outcome.draft.clone() });
    assert!(codes(&found).contains(&ViolationCode::UnknownCitation), "{found:?}");
}

#[test]
fn an_articles_promise_is_policy_and_may_be_repeated() {
    let desk = Desk::open();
    let outcome = desk.work(TICKET);
    let article =
        desk.articles.iter().find(|article| outcome.draft.cited_articles.contains(&article.id)).unwrap();
    let text = format!("{}\n\n{}", outcome.draft.text, article.passages().collect::<Vec<_>>().join("\n"));
    let found = review(&desk, &outcome, &Draft { text, ..outcome.draft.clone() });
    assert!(!codes(&found).contains(&ViolationCode::UnsupportedPromise), "{found:?}");
}

#[test]
fn a_fault_that_two_drafts_did_not_mend_is_left_to_a_person() {
    let desk = Desk::open();
    let outcome = desk.work(TICKET);
    let text = format!("{}\n\nWe will refund everything.", outcome.draft.text);
    let last = review(&desk, &outcome, &Draft { text, revision: 2, ..outcome.draft.clone() });
    assert_eq!(last.verdict, Verdict::Human);
}

#[test]
fn every_sample_can_be_drafted_whatever_the_notes_say() {
    let desk = Desk::open();
    for (number, sample) in samples().into_iter().enumerate() {
        let first = desk.work(sample.message());
        for code in ViolationCode::ALL.iter().skip(number % 3).step_by(3) {
            let notes = [format!("{code}: something")];
            let request = DraftRequest {
                message: sample.message(),
                classification: &first.classification,
                extraction: &first.extraction,
                research: &first.research,
                articles: &desk.contents(),
                review_notes: &notes,
                revision: 1,
            };
            let draft = desk.offline.draft(&request).unwrap();
            let found = desk.review(sample.message(), &first, &draft);
            assert!(!codes(&found).contains(code), "{code} in {}\n{}", sample.subject, draft.text);
        }
    }
}
