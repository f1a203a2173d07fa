//! Owns error codes, versions and devices.

use super::{super::OfflineError, digits::NearDigits};
use regex::Regex;

/// Finds error codes, versions and devices.
#[derive(Debug)]
pub(super) struct Codes {
    http: Regex,
    named: Regex,
    alone: Regex,
    meets: Regex,
    symbol: Regex,
    dotted: Regex,
    platform: Regex,
    named_version: Regex,
    device: Regex,
}

/// The statuses of HTTP that customers meet.
const STATUSES: &str = "40[0134589]|41[035]|42[239]|50[0-4]|507|511|52[0-7]";
/// What servers say with them.
const REASONS: &str = "Bad Gateway|Bad Request|Conflict|Forbidden|Gateway Time-?out|Internal Server Error|Not Found|Service Unavailable|Too Many Requests|Unauthorized";
/// Words before a status that stands alone: what a server does with it.
const MEETS: &str = r"(?i)\b(?:an?|got|gets?|getting|gives?|returns?|returned|returning|shows?|with|throws?|receive[ds]?|we see|liefert|antwortet mit|meldet|renvoie|affiche|responde|devuelve|muestra|mostra)\s$";

impl Codes {
    pub(super) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            http: Regex::new(r"(?i)\bHTTP[ /-]?(?:status |error |code )?(?P<code>[1-5][0-9]{2})\b")?,
            named: Regex::new(
                r"(?i)\b(?:(?:errors?|fehler(?:code|meldung)?|erreur|erro|errore|lỗi|exception|status|SQLSTATE|(?:stop|exit|return|exception|reason|rückgabe)[ -]?code)(?: (?:code|nr\.?|no\.?|number|status))?|(?:code|código) (?:d'erreur|de erro|de error)|code|código)(?: |: ?| ?#| ?= ?)(?:HTTP )?(?P<code>[A-Z]{0,8}[-_]?[0-9]{2,5}(?:-[0-9]{2})?)\b",
            )?,
            alone: Regex::new(&format!(
                r"(?i)\b(?:{STATUSES})(?: (?:{REASONS})\b|(?P<end>[.,;:!)]|\s(?:after|when|on|error|errors|since|and|or|from)\b|\s*$))"
            ))?,
            meets: Regex::new(MEETS)?,
            symbol: Regex::new(
                r"\b(?:E[0-9]{3,5}|E-[0-9]{3,5}|(?:ERR|ERROR|EXC|E)_[A-Z0-9_]{2,40}|0x[0-9A-Fa-f]{4,16}|[A-Z]{2,}(?:_[A-Z0-9]+)*_[0-9]{1,4}|AADSTS[0-9]{4,7}|(?:ORA|TNS|AUTH|ERR)-[0-9]{3,5}|E(?:CONN[A-Z]{5,7}|TIMEDOUT|ACCES|NOENT|PERM|PIPE|ADDRINUSE|HOSTUNREACH|NOTFOUND|NOSPC))\b",
            )?,
            dotted: Regex::new(r"\b[vV][0-9]{1,4}\.[0-9]{1,4}(?:\.[0-9]{1,6}){0,2}\b")?,
            platform: Regex::new(
                r"\b(?i:iOS|iPadOS|Android|Windows|macOS|Ubuntu|Chrome|Firefox|Safari|Edge) [0-9]{1,4}(?:\.[0-9]{1,4}){0,3}\b",
            )?,
            named_version: Regex::new(
                r"(?i)\b(?:version|versión|versão|build|firmware|mise à jour) ([0-9]{1,4}(?:\.[0-9]{1,6}){1,3})\b",
            )?,
            device: Regex::new(
                r"\b(?:iPhone(?: SE| X[RS]?| [0-9]{1,2})(?: (?:Pro Max|Pro|Plus|mini|Max))?|iPhone|iPad(?: (?:Pro|Air|mini))?|iMac|MacBook(?: (?:Pro|Air))?|Apple Watch|(?:Samsung )?Galaxy [A-Z][0-9]{1,3}|(?:Google )?Pixel [0-9]{1,2}(?: Pro)?|ThinkPad [A-Z][0-9]{1,3}|(?:Xiaomi )?Redmi(?: Note)? [0-9]{1,2}|Motorola [A-Z][0-9]{1,3}|Surface (?:Pro|Go|Laptop)(?: [0-9]{1,2})?|PlayStation [45]|Xbox Series [SX]|Chromebook)\b",
            )?,
        })
    }

    /// Error codes in a text, in the order of their mention; `error 503` goes when `HTTP 503` is there as well.
    pub(super) fn errors(&self, near: &NearDigits<'_>) -> Vec<String> {
        let mut found: Vec<(usize, &str, &str)> = Vec::new();
        for pattern in [&self.http, &self.named] {
            for (start, part) in near.iter() {
                for captures in pattern.captures_iter(part) {
                    if let (Some(whole), Some(number)) = (captures.get(0), captures.name("code")) {
                        let known = found.iter().any(|(_, _, other)| *other == number.as_str());
                        let after = near.text[start + number.end()..].trim_start();
                        let is_sum = after.starts_with(['€', '$', '£', '%']);
                        if !known && !is_sum && is_code(whole.as_str(), number.as_str()) {
                            found.push((start + whole.start(), whole.as_str(), number.as_str()));
                        }
                    }
                }
            }
        }
        for (start, part) in near.iter() {
            for alone in self.alone.captures_iter(part) {
                let Some(whole) = alone.get(0) else { continue };
                let number = &whole.as_str()[..STATUS];
                let met = alone.name("end").is_none() || self.meets.is_match(&part[..whole.start()]);
                if met && !found.iter().any(|(_, _, other)| *other == number) {
                    found.push((start + whole.start(), number, number));
                }
            }
        }
        // A symbol need not have a digit.
        for symbol in self.symbol.find_iter(near.text) {
            if !found
                .iter()
                .any(|(_, _, known)| known.contains(symbol.as_str()) || symbol.as_str().contains(known))
            {
                found.push((symbol.start(), symbol.as_str(), symbol.as_str()));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, code, _)| code.to_owned()).collect()
    }

    /// Those that are surely of errors: what is merely called a code may be a voucher, or whatever its writer wants to
    /// read in a reply.
    pub(super) fn sure_errors(&self, near: &NearDigits<'_>) -> Vec<String> {
        let is_sure = |error: &String| !is_bare(error) || self.symbol.is_match(error);
        self.errors(near).into_iter().filter(is_sure).collect()
    }

    /// Devices in a text by the names of widely sold ones, in the order of their mention, each once.
    pub(super) fn devices(&self, text: &str) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        for device in self.device.find_iter(text).map(|found| found.as_str()) {
            if !kept.iter().any(|known| known == device) {
                kept.push(device.to_owned());
            }
        }
        kept
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

/// Characters of a status of HTTP.
const STATUS: usize = 3;

/// Whether what stands behind a word for errors is a code. Behind "code" or "status" alone stand vouchers and states as
/// well: only a status of HTTP counts there, or letters with a mark.
fn is_code(whole: &str, code: &str) -> bool {
    let bare = is_bare(whole) && !whole.contains(['\'']) && !whole.contains(" de ");
    let status = code.len() == STATUS && code.starts_with(['1', '2', '3', '4', '5']);
    !bare || status || code.contains(['-', '_'])
}

/// Whether it begins with a word that need not be about an error.
fn is_bare(error: &str) -> bool {
    let first = error.split([' ', ':', '#', '=']).next().unwrap_or(error).to_lowercase();
    ["code", "código", "status"].contains(&first.as_str())
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
    fn what_is_merely_called_a_code_is_not_surely_of_an_error() {
        let codes = Codes::load().unwrap();
        let sure =
            codes.sure_errors(&NearDigits::of("Use code PWNED-2001. It failed: error E1042, code ERR-500."));
        assert_eq!(sure, ["error E1042", "code ERR-500"]);
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
