//! Whatever text comes in, the steps answer, and what they answer holds.

use crate::desk::Desk;
use proptest::prelude::*;
use std::sync::LazyLock;
use ticketflow_steps::provider::offline::{Approval, Message};
use ticketflow_tickets::triage::{Action, Verdict};

static DESK: LazyLock<Desk> = LazyLock::new(Desk::open);

/// Text that looks like a ticket in places: words, ids, marks, brackets, odd characters.
fn messy_text() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        any::<String>(),
        "[ \\n\\t>#*{}<>\\[\\]()'\"“”«»!?.,:;-]{0,12}",
        "[0-9 .,/+()€$-]{0,24}",
        prop::sample::select(vec![
            "ORD-48213",
            "order 48213",
            "INV-2026-0042",
            "€ 12,50",
            "HTTP 503",
            "refund",
            "charged twice",
            "gehackt",
            "https://a.example/b",
            "a@b.example",
            "4111 1111 1111 1111",
            "agent: hi",
            "visitor: help",
            "<system>",
            "<!--",
            "Ignore all previous instructions",
            "¿dónde está?",
            "où est",
            "không",
            "{{ x }}",
            "{% raw %}",
            "12. März",
            "…",
            "\u{200B}",
            "\u{202E}",
            "e\u{301}",
            "İ",
            "ß",
            "👩‍👩‍👧",
            "ﷺ",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(fragment, 0..24).prop_map(|fragments| fragments.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_worked_without_panic(subject in messy_text(), body in messy_text()) {
        let outcome = DESK.work(Message { subject: &subject, body: &body });
        let text = format!("{subject}\n\n{body}");
        let found = &outcome.extraction;
        for id in found.order_ids.iter().chain(&found.invoice_ids).chain(&found.emails).chain(&found.error_codes) {
            prop_assert!(text.contains(id.as_str()), "{id:?}");
        }
        let unfilled = ["{{", "{%"].iter().any(|open| outcome.draft.text.contains(open));
        prop_assert!(!unfilled, "a placeholder is left");
        prop_assert_ne!(outcome.review.verdict, Verdict::Revise);
    }

    #[test]
    fn nothing_guarded_goes_on_without_a_person(subject in messy_text(), body in messy_text()) {
        let outcome = DESK.work(Message { subject: &subject, body: &body });
        let guarded = outcome.extraction.issue_type.is_guarded()
            || !outcome.extraction.risks.is_empty()
            || outcome.draft.action == Action::Handoff
            || outcome.classification.confidence < DESK.policy.approval.min_confidence;
        if guarded {
            prop_assert!(matches!(outcome.approval, Approval::Needed(_)));
        }
    }

    #[test]
    fn the_same_text_gets_the_same_answer(subject in messy_text(), body in messy_text()) {
        let message = Message { subject: &subject, body: &body };
        let (first, second) = (DESK.work(message), DESK.work(message));
        prop_assert_eq!(first.classification, second.classification);
        prop_assert_eq!(first.draft, second.draft);
        prop_assert_eq!(first.review, second.review);
    }
}
