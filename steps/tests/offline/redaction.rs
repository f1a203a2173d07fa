//! Whatever is redacted comes back letter by letter, and what must not leave does not.

use proptest::prelude::*;
use std::sync::LazyLock;
use ticketflow_steps::redaction::Redactor;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::load().unwrap());

/// Thirteen to nineteen digits whose last one makes the Luhn sum right, grouped in one of the usual ways.
fn card() -> impl Strategy<Value = String> {
    let separators = prop::sample::select(vec!["", " ", "-", ".", "\u{a0}"]);
    ("[3-6][0-9]{11,17}", separators, 3_usize..7).prop_map(|(start, separator, group)| {
        let doubled = |(place, digit): (usize, u32)| {
            if place % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        };
        let digits = start.chars().rev().map(|c| c.to_digit(10).unwrap());
        let sum: u32 = digits.enumerate().map(doubled).sum();
        let whole = format!("{start}{}", (10 - sum % 10) % 10);
        let groups: Vec<&str> =
            whole.as_bytes().chunks(group).map(|group| std::str::from_utf8(group).unwrap()).collect();
        groups.join(separator)
    })
}

fn email() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9._+-]{0,30}[a-z0-9]@[a-z][a-z0-9-]{0,10}[a-z0-9]\\.(org|example|co\\.uk|museum)",
        "[A-Z]{1,80}@[A-Z]{2,9}\\.DE",
        "[äöüß]{1,5}@(münchen|почта|xn--mnchen-3ya)\\.(example|рф|xn--p1ai)",
    ]
}

fn iban() -> impl Strategy<Value = String> {
    let known = [
        "DE89370400440532013000",
        "GB29NWBK60161331926819",
        "FR1420041010050500013M02606",
        "NL91ABNA0417164300",
    ];
    (prop::sample::select(known.to_vec()), any::<bool>()).prop_map(|(iban, grouped)| {
        let group = if grouped { 4 } else { iban.len() };
        let groups: Vec<&str> =
            iban.as_bytes().chunks(group).map(|group| std::str::from_utf8(group).unwrap()).collect();
        groups.join(" ")
    })
}

/// Text around them that is apt to disturb: placeholders, brackets, digits, words for secrets.
fn noise() -> impl Strategy<Value = String> {
    let pieces = [
        "[EMAIL_1]",
        "[CARD_2]",
        "[TEXT_1]",
        "[[",
        "_1]",
        "[EMAIL_",
        "password:",
        "Passwort ist",
        "api_key=",
        "token",
        "+49 30 1234567",
        "call 030 1234567",
        "4111",
        "1111 1111",
        "@",
        "a@",
        "DE89",
        "ORD-48213",
        "49,90 €",
        "\n",
        "sk-",
        "://u:p@h",
        "Bearer ",
        "\u{200b}",
    ];
    prop_oneof![3 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => any::<String>(), 1 => "[0-9 .-]{0,20}"]
}

fn messy(value: impl Strategy<Value = String>) -> impl Strategy<Value = (String, String)> {
    let around = || prop::collection::vec(noise(), 0..6).prop_map(|pieces| pieces.join(" "));
    (around(), value, around())
        .prop_map(|(before, value, after)| (format!("{before} {value}, {after}"), value))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_redacted_comes_back_letter_by_letter(pieces in prop::collection::vec(noise(), 0..20), joint in "[ ]?") {
        let text = pieces.join(&joint);
        let mut request = REDACTOR.begin();
        let redacted = request.redact(&text).unwrap();
        prop_assert_eq!(request.restore(&redacted), text);
    }

    #[test]
    fn no_address_leaves((text, email) in messy(email())) {
        let redacted = REDACTOR.begin().redact(&text).unwrap();
        prop_assert!(!redacted.contains(&email), "{}", redacted);
        prop_assert!(!redacted.contains(email.split('@').next_back().unwrap()), "{}", redacted);
    }

    #[test]
    fn no_card_leaves((text, card) in messy(card())) {
        let redacted = REDACTOR.begin().redact(&text).unwrap();
        prop_assert!(!redacted.contains(&card), "{}", redacted);
    }

    #[test]
    fn no_account_leaves((text, iban) in messy(iban())) {
        let redacted = REDACTOR.begin().redact(&text).unwrap();
        prop_assert!(!redacted.contains(&iban), "{}", redacted);
    }

    #[test]
    fn no_secret_leaves(word in prop::sample::select(vec!["password", "Kennwort", "contraseña", "mot de passe", "senha", "mật khẩu", "api key"]), secret in "[a-zA-Z0-9#!_-]{6,20}[0-9]") {
        let redacted = REDACTOR.begin().redact(&format!("Hello, {word}: {secret} and thanks")).unwrap();
        prop_assert!(!redacted.contains(&secret), "{}", redacted);
    }
}
