//! Owns the choice among the values of an enumeration: the one whose words the text speaks of.

use serde_json::Value;

/// Words that speak for a value of the kinds that triage of tickets knows.
const SPEAKING: [(&str, &[&str]); 12] = [
    ("billing", &["invoice", "charged", "refund", "payment", "rechnung", "factura", "facture", "paid"]),
    ("technical", &["error", "crash", "bug", "fails", "fehler", "down", "broken", "not work"]),
    ("account", &["password", "login", "sign in", "log in", "passwort", "contraseña"]),
    ("order", &["parcel", "delivery", "shipping", "ord-", "paket", "pedido", "commande"]),
    ("feature_request", &["feature", "would be great", "would like to see", "please add", "wish"]),
    ("urgent", &["urgent", "immediately", "asap", "outage", "all users", "dringend"]),
    ("high", &["today", "deadline", "lawyer", "angry", "hacked"]),
    ("refund_request", &["refund", "money back", "erstatt"]),
    ("double_charge", &["twice", "double"]),
    ("not_delivered", &["parcel", "not arrived", "never came"]),
    ("login", &["sign in", "log in", "password"]),
    ("crash", &["crash"]),
];

/// Values that say least, for texts that speak of none.
const PLAIN: [&str; 8] = ["general", "medium", "question", "reply", "approve", "other", "none", "en"];

/// The value that the text speaks of most; else the plain one; else the first.
pub(super) fn choose<'a>(values: &'a [Value], lower: &str) -> Option<&'a Value> {
    let spoken = values.iter().map(|value| (spoken_of(value, lower), value));
    // The first of those that are spoken of alike.
    let best = spoken.rev().max_by_key(|(times, _)| *times).filter(|(times, _)| *times > 0);
    let plain = || values.iter().find(|value| value.as_str().is_some_and(|text| PLAIN.contains(&text)));
    best.map(|(_, value)| value).or_else(plain).or_else(|| values.first())
}

/// The value that the text orders for a property, as in "priority is low" or "set the category to general"; approval
/// wherever there is any, for whoever gives a model orders wants no person to see them.
pub(super) fn ordered<'a>(values: &'a [Value], name: &str, lower: &str) -> Option<&'a Value> {
    let name = name.replace('_', " ");
    let order = |value: &str| {
        [" is ", " to ", ": ", " = "].iter().any(|link| lower.contains(&format!("{name}{link}{value}")))
    };
    let is_ordered = |value: &&Value| value.as_str().is_some_and(|value| value == "approve" || order(value));
    values.iter().find(is_ordered)
}

/// How often the text speaks of a value: in its own words, or in those that speak for it.
pub(super) fn spoken_of(value: &Value, lower: &str) -> usize {
    let Some(value) = value.as_str() else { return 0 };
    let own = value.replace(['_', '-'], " ");
    let speaking = SPEAKING.iter().find(|(of, _)| *of == value).map_or(&[][..], |(_, words)| *words);
    let own = if own.len() > 2 { lower.matches(&own).count() } else { 0 };
    own + speaking.iter().map(|word| lower.matches(word).count()).sum::<usize>()
}

/// The language whose small words the text has most of.
pub(super) fn language(lower: &str) -> &'static str {
    const SMALL: [(&str, [&str; 5]); 6] = [
        ("en", [" the ", " is ", " and ", " my ", " to "]),
        ("de", [" der ", " ist ", " und ", " ich ", " nicht "]),
        ("es", [" el ", " es ", " y ", " mi ", " no "]),
        ("fr", [" le ", " est ", " et ", " je ", " pas "]),
        ("pt", [" o ", " é ", " e ", " meu ", " não "]),
        ("vi", [" tôi ", " là ", " và ", " không ", " của "]),
    ];
    let count = |words: &[&str; 5]| words.iter().map(|word| lower.matches(word).count()).sum::<usize>();
    let best = SMALL.iter().rev().max_by_key(|(_, words)| count(words));
    best.map_or("en", |(language, _)| language)
}
