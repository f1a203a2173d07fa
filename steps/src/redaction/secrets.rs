//! Owns secrets: keys that look like keys, and whatever stands behind a word for one.

use crate::provider::offline::OfflineError;
use regex::Regex;
use std::ops::Range;

/// Shortest value behind "password is", which also opens sentences like "password is wrong".
const SHORTEST_SAID: usize = 6;
/// Words for secrets, in the languages that tickets come in.
const WORDS: &str = r"pass(?:word|code|phrase|wort|w)|pwd|kennwort|geheimzahl|contraseña|contrasena|clave|mot de passe|senha|palavra-passe|mật khẩu|mat khau|api[ _-]?(?:key|token|schlüssel)|access[ _-]?(?:key|token)|auth[ _-]?token|secret(?:[ _-]?key)?|client[ _-]secret|token|jeton|ficha|cvv2?|cvc2?|pin(?:[ -]code)?";

/// Finds secrets.
#[derive(Debug)]
pub(super) struct Secrets {
    shapes: Regex,
    assigned: Regex,
    said: Regex,
}

impl Secrets {
    pub(super) fn load() -> Result<Self, OfflineError> {
        let shapes = [
            // A JSON web token: header, payload, signature.
            r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
            // Keys of widely used services, by the prefix that each gives its own.
            r"\b(?:sk|pk|rk|whsec)[-_][\w-]{16,}",
            r"\b(?:gh[opsur]_|github_pat_|glpat-|npm_|hf_|shpat_|dop_v1_)\w{16,}[\w-]*",
            r"\bxox[abeoprs]-[\w-]{10,}",
            r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
            r"\bAIza[\w-]{30,}",
            r"\bSG\.[\w-]{16,}\.[\w-]{16,}",
        ];
        Ok(Self {
            shapes: Regex::new(&shapes.join("|"))?,
            assigned: Regex::new(&format!(
                r#"(?i)\b(?:{WORDS})["']?\s*[:=]\s*(?P<value>"[^"\n]{{1,200}}"|'[^'\n]{{1,200}}'|\S+)|\b(?:bearer|basic) (?P<bearer>[\w.~+/=-]{{8,}})|://[^/\s:@]{{1,200}}:(?P<login>[^/\s@]{{1,200}})@"#
            ))?,
            said: Regex::new(&format!(
                r"(?i)\b(?:{WORDS})\s+(?:is|was|ist|lautet|war|es|era|est|était|é|là)\s+(?P<value>\S+)"
            ))?,
        })
    }

    /// Where secrets stand.
    pub(super) fn places(&self, text: &str) -> Vec<Range<usize>> {
        let shapes = self.shapes.find_iter(text).map(|found| found.range());
        let assigned = self.assigned.captures_iter(text).filter_map(|captures| {
            let value = ["value", "bearer", "login"].iter().find_map(|name| captures.name(name))?;
            Some(unpunctuated(text, value.range()))
        });
        let said = self.said.captures_iter(text).filter_map(|captures| {
            let place = unpunctuated(text, captures.name("value")?.range());
            is_no_word(&text[place.clone()]).then_some(place)
        });
        shapes.chain(assigned).chain(said).filter(|place| !place.is_empty()).collect()
    }
}

/// Without the mark that ends the sentence.
fn unpunctuated(text: &str, place: Range<usize>) -> Range<usize> {
    let value = text[place.clone()].trim_end_matches(['.', ',', ';', ')', ']', '}', '>']);
    place.start..place.start + value.len()
}

/// Whether it has what words have not: a digit, or a mark among letters.
fn is_no_word(value: &str) -> bool {
    let marks =
        value.trim_end_matches(['!', '?', ':']).chars().any(|c| !c.is_alphabetic() && c != '-' && c != '\'');
    value.chars().count() >= SHORTEST_SAID && marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let places = Secrets::load().unwrap().places(text);
        places.into_iter().map(|place| text[place].to_owned()).collect()
    }

    #[test]
    fn keys_are_known_by_their_shape() {
        for secret in [
            concat!("sk", "-proj-abcdEFGH1234567890ab"),
            concat!("gh", "p_0123456789abcdefABCDEF0123456789abcd"),
            concat!("AK", "IAABCDEFGHIJKLMNOP"),
            concat!("xox", "b-123456789012-abcdef"),
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        ] {
            assert_eq!(found(&format!("it says {secret}, why?")), [secret]);
        }
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
        assert_eq!(found(&format!("here:\n{key}\nthanks")), [key]);
    }

    #[test]
    fn secrets_are_known_by_the_word_before_them_in_every_language() {
        for (text, secret) in [
            ("my password: hunter2.", "hunter2"),
            ("Passwort = Sommer-2026!", "Sommer-2026!"),
            ("Mein Kennwort lautet geheim99", "geheim99"),
            ("contraseña: perro", "perro"),
            ("le mot de passe est Soleil#7", "Soleil#7"),
            ("a senha é gato_123", "gato_123"),
            ("mật khẩu: abc12345", "abc12345"),
            ("api_key=\"two words\"", "\"two words\""),
            ("CVV: 123", "123"),
            ("Authorization: Bearer abc.def-123456", "abc.def-123456"),
            ("postgres://app:s3cret@db.example/app", "s3cret"),
        ] {
            assert_eq!(found(text), [secret], "{text}");
        }
    }

    #[test]
    fn talk_about_passwords_is_no_secret() {
        for text in [
            "my password is wrong and the token is expired",
            "How do I reset the password?",
            "Das Passwort ist abgelaufen.",
            "order ORD-48213, invoice INV-2026-0042 over 49.90 EUR",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
