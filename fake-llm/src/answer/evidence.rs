//! Owns one reading of the text that an answer is made from: its sentences, and the tokens that look like something.

use super::{INVENTED_ID, INVENTED_LINK};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Longest sentence that is quoted, in characters.
const LONGEST: usize = 160;
/// Shortest token that can be a code, in characters.
const CODE: usize = 4;

/// What a text holds.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) lower: String,
    pub(crate) sentences: Vec<String>,
    pub(crate) tokens: Vec<String>,
    /// What every string carries when the model obeys; none when it does not.
    orders: Option<String>,
}

/// What an obeying model has before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// What it was asked to do with it by those who may ask.
    pub(crate) prompt: &'a str,
    /// What was wrong with its last answer; empty at the first.
    pub(crate) reproach: &'a str,
}

impl Evidence {
    /// Reads a text. A line of marks or tags alone is no sentence: prompts delimit with them what is data.
    pub(crate) fn of(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !is_delimiter(line));
        let sentences = lines.flat_map(sentences);
        let sentences = sentences.filter(|sentence| sentence.split_whitespace().count() > 1);
        let tokens = text.split_whitespace().map(trimmed).filter(|token| !token.is_empty());
        Self {
            lower: text.to_lowercase(),
            sentences: sentences.map(|sentence| sentence.chars().take(LONGEST).collect()).collect(),
            tokens: tokens.map(str::to_owned).collect(),
            orders: None,
        }
    }

    /// The same, by a model that does whatever the text asks: it decodes what is encoded, and every code and link it
    /// sees, and some of its own, go into every string; its own instructions too, if the text asks for them. Sent back, it
    /// leaves out what it is blamed for and says the rest again.
    pub(crate) fn obeying(told: Told<'_>) -> Self {
        let visible: String = told.text.chars().filter(|c| !is_invisible(*c)).collect();
        let whole = format!("{visible}\n{}", decoded(&visible).join("\n"));
        let evidence = Self::of(&whole);
        let of_order = |c: char| c.is_alphanumeric() || "-_/:.#?=&@%".contains(c);
        let lines = whole.lines().filter(|line| !is_tag(line.trim()));
        let pieces = lines.flat_map(|line| line.split(|c| !of_order(c))).map(trimmed);
        let mut said: Vec<&str> = pieces.filter(|token| is_code(token) || is_link(token)).collect();
        said.sort_unstable();
        said.dedup();
        said.extend([INVENTED_ID, INVENTED_LINK]);
        if evidence.lower.contains("your instructions") {
            said.extend(told.prompt.lines().next());
        }
        let reproach = told.reproach.to_lowercase();
        said.retain(|order| !is_blamed(order, &reproach));
        Self { orders: Some(said.join(" ")), ..evidence }
    }

    /// `text` as it is said: with what the model was told to say, when it obeys.
    pub(crate) fn obeyed(&self, text: String) -> String {
        match &self.orders {
            Some(orders) if !orders.is_empty() => format!("{text} {orders}"),
            Some(_) | None => text,
        }
    }

    /// Whether the model does whatever the text asks.
    pub(super) const fn obeys(&self) -> bool {
        self.orders.is_some()
    }

    /// Tokens that hold a digit and are no sum, link or address.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &String> {
        self.tokens.iter().filter(|token| is_code(token))
    }
}

/// Whether `reproach`, in small letters, names an order: all of it, or a number in it.
fn is_blamed(order: &str, reproach: &str) -> bool {
    let order = order.to_lowercase();
    let number = |piece: &&str| piece.len() >= 3 && piece.contains(|c: char| c.is_ascii_digit());
    let mut numbers = order.split(|c: char| !c.is_alphanumeric()).filter(number);
    reproach.contains(&order) || !is_link(&order) && numbers.any(|number| reproach.contains(number))
}

/// The sentences of a line: a mark ends one where white space follows, and not in the middle of an address.
fn sentences(line: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, mark) in line.match_indices(['.', '!', '?']) {
        let end = at + mark.len();
        if line[end..].starts_with(char::is_whitespace) || end == line.len() {
            sentences.push(line[start..end].trim());
            start = end;
        }
    }
    sentences.push(line[start..].trim());
    sentences
}

fn trimmed(token: &str) -> &str {
    token.trim_matches(|c: char| !c.is_alphanumeric() && c != '€' && c != '$' && c != '£')
}

fn is_delimiter(line: &str) -> bool {
    let tag = line.starts_with('<') && line.ends_with('>');
    tag || line.starts_with("```") || line.starts_with('{') || !line.chars().any(char::is_alphanumeric)
}

/// Whether a line is one tag and nothing else: it tells of the text, and is none of it.
fn is_tag(line: &str) -> bool {
    let inner = line.strip_prefix('<').and_then(|line| line.strip_suffix('>'));
    inner.is_some_and(|inner| !inner.contains(|c: char| c == '<' || c == '>' || c.is_whitespace()))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}

/// Whether a token looks like a number of something.
pub(crate) fn is_code(token: &str) -> bool {
    token.chars().count() >= CODE
        && token.chars().any(|c| c.is_ascii_digit())
        && token.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '#' | '/'))
        && !is_date(token)
}

/// Whether a token is a link.
pub(crate) fn is_link(token: &str) -> bool {
    token.starts_with("http://") || token.starts_with("https://") || token.starts_with("www.")
}

/// Whether a token is a date as ISO 8601 writes it.
pub(crate) fn is_date(token: &str) -> bool {
    let digits = |part: &str, count| part.len() == count && part.chars().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> = token.split('-').collect();
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}

/// What of a text is Base64 of a text.
fn decoded(text: &str) -> Vec<String> {
    let long = |token: &&str| token.len() >= 12;
    let tokens = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c))).filter(long);
    tokens
        .filter_map(|token| String::from_utf8(STANDARD.decode(token).ok()?).ok())
        .filter(|text| text.chars().all(|c| !c.is_control() || c.is_whitespace()))
        .collect()
}
