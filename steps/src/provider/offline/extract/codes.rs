//! Owns error codes and versions.

use super::{super::OfflineError, digits::NearDigits};
use regex::Regex;

/// Finds error codes and versions.
#[derive(Debug)]
pub(super) struct Codes {
    http: Regex,
    named: Regex,
    symbol: Regex,
    dotted: Regex,
    platform: Regex,
    named_version: Regex,
}

impl Codes {
    pub(super) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            http: Regex::new(r"(?i)\bHTTP[ /-]?(?:status |error |code )?([1-5][0-9]{2})\b")?,
            named: Regex::new(
                r"(?i)\b(?:error|errors|fehler|fehlercode|erreur|erro|status|code|código)(?: (?:code|nr\.?|no\.?|number))?[ :#]{1,2}(?:HTTP )?([1-5][0-9]{2})\b",
            )?,
            symbol: Regex::new(
                r"\b(?:E[0-9]{3,5}|E-[0-9]{3,5}|(?:ERR|ERROR|EXC|E)_[A-Z0-9_]{2,40}|0x[0-9A-Fa-f]{4,16})\b",
            )?,
            dotted: Regex::new(r"\b[vV][0-9]{1,4}\.[0-9]{1,4}(?:\.[0-9]{1,6}){0,2}\b")?,
            platform: Regex::new(
                r"\b(?i:iOS|iPadOS|Android|Windows|macOS|Ubuntu|Chrome|Firefox|Safari|Edge) [0-9]{1,4}(?:\.[0-9]{1,4}){0,3}\b",
            )?,
            named_version: Regex::new(
                r"(?i)\b(?:version|versión|versão|build) ([0-9]{1,4}(?:\.[0-9]{1,6}){1,3})\b",
            )?,
        })
    }

    /// Error codes in a text, in the order of their mention; `error 503` goes when `HTTP 503` is there as well.
    pub(super) fn errors(&self, near: &NearDigits<'_>) -> Vec<String> {
        let mut found: Vec<(usize, &str, &str)> = Vec::new();
        for pattern in [&self.http, &self.named] {
            for (start, part) in near.iter() {
                for captures in pattern.captures_iter(part) {
                    if let (Some(whole), Some(number)) = (captures.get(0), captures.get(1)) {
                        let known = found.iter().any(|(_, _, other)| *other == number.as_str());
                        let after = near.text[start + number.end()..].trim_start();
                        if !known && !after.starts_with(['€', '$', '£', '%']) {
                            found.push((start + whole.start(), whole.as_str(), number.as_str()));
                        }
                    }
                }
            }
        }
        // A symbol need not have a digit.
        for symbol in self.symbol.find_iter(near.text) {
            if !found.iter().any(|(_, known, _)| *known == symbol.as_str()) {
                found.push((symbol.start(), symbol.as_str(), symbol.as_str()));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, code, _)| code.to_owned()).collect()
    }

    /// Versions of programs and systems in a text, in the order of their mention.
    pub(super) fn versions(&self, near: &NearDigits<'_>) -> Vec<String> {
        let mut found: Vec<(usize, &str)> = Vec::new();
        for (start, part) in near.iter() {
            let whole = self.dotted.find_iter(part).chain(self.platform.find_iter(part));
            let named = self.named_version.captures_iter(part).filter_map(|captures| captures.get(1));
            found.extend(whole.chain(named).map(|version| (start + version.start(), version.as_str())));
        }
        found.sort_unstable();
        let mut kept: Vec<String> = Vec::new();
        for (_, version) in found {
            if !kept.iter().any(|known| known == version) {
                kept.push(version.to_owned());
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_found() {
        let codes = Codes::load().unwrap();
        assert_eq!(codes.errors(&NearDigits::of("API down (HTTP 503), error 503 again")), ["HTTP 503"]);
        assert_eq!(
            codes.errors(&NearDigits::of("E1042, then ERR_TIMEOUT_77 and error 500")),
            ["E1042", "ERR_TIMEOUT_77", "error 500"]
        );
        assert_eq!(codes.errors(&NearDigits::of("Fehlercode: 404")), ["Fehlercode: 404"]);
        assert!(codes.errors(&NearDigits::of("error 500 € charged, E10, code 12345, ERROR sync")).is_empty());
    }

    #[test]
    fn versions_are_found() {
        let codes = Codes::load().unwrap();
        assert_eq!(
            codes.versions(&NearDigits::of("App v4.12.1, Android 14, iOS 17.2")),
            ["v4.12.1", "Android 14", "iOS 17.2"]
        );
        assert_eq!(codes.versions(&NearDigits::of("version 3.2")), ["3.2"]);
        assert!(codes.versions(&NearDigits::of("/v2/orders on my iPhone 13")).is_empty());
    }
}
