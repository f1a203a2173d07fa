//! Owns where one sentence ends and the next begins, for prose, chat and lists alike.

use std::ops::Range;

/// Abbreviations after which a full stop ends nothing.
const ABBREVIATIONS: [&str; 34] = [
    "nr", "no", "nos", "num", "bzw", "ca", "mr", "mrs", "ms", "dr", "st", "inc", "approx", "art", "abs",
    "sr", "sra", "tel", "ref", "vs", "incl", "inkl", "zzgl", "evtl", "ggf", "usw", "bspw", "max", "min",
    "std", "mme", "ltd", "pp", "ord",
];

/// First letters of month names, after folding: in "12. März" the full stop ends nothing.
const MONTHS: [&str; 18] = [
    "jan", "feb", "mar", "apr", "mai", "may", "jun", "jul", "aug", "sep", "okt", "oct", "nov", "dez", "dec",
    "fev", "avr", "ene",
];

/// Byte ranges of the sentences of `text`, without the blanks around them.
pub(in super::super) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut next) = (0, 0);
    while let Some((at, c)) = next_mark(text, next) {
        let after = at + c.len_utf8();
        next = after;
        let ends = match c {
            '\n' => ends_line(&text[start..at], &text[after..]),
            '.' => ends_at_stop(&text[start..at], &text[after..]),
            '!' | '?' | '…' | '。' | '！' | '？' => ends_here(&text[after..]),
            _ => false,
        };
        if ends && (c == '\n' || !is_open(&text[start..at])) {
            let rest = text[after..].trim_start_matches(['"', '”', '“', '»', ')', '\'', '’']);
            next = text.len() - rest.len();
            push_trimmed(text, start..next, &mut found);
            start = next;
        }
    }
    push_trimmed(text, start..text.len(), &mut found);
    found
}

/// The next character from `from` on that may end a sentence, and where it stands.
fn next_mark(text: &str, from: usize) -> Option<(usize, char)> {
    let may_end = |byte: &u8| matches!(byte, b'\n' | b'.' | b'!' | b'?') || !byte.is_ascii();
    let at = from + text.as_bytes()[from..].iter().position(may_end)?;
    text[at..].chars().next().map(|c| (at, c))
}

/// Whether a bracket is open: a question in brackets belongs to the sentence around it.
fn is_open(sentence: &str) -> bool {
    let line = sentence.rsplit("\n\n").next().unwrap_or(sentence);
    line.matches('(').count() - line.matches(":(").count() > line.matches(')').count()
}

fn push_trimmed(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let slice = &text[range.clone()];
    let trimmed = slice.trim();
    if trimmed.chars().any(char::is_alphanumeric) {
        let start = range.start + (slice.len() - slice.trim_start().len());
        found.push(start..start + trimmed.len());
    }
}

/// A run of marks ends a sentence at its last one, when a blank, a closing mark or nothing follows.
fn ends_here(rest: &str) -> bool {
    rest.chars()
        .next()
        .is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '”' | '“' | '»' | ')' | '\'' | '’'))
}

fn ends_at_stop(before: &str, rest: &str) -> bool {
    if !ends_here(rest) {
        return false;
    }
    let line = before.rsplit('\n').next().unwrap_or(before);
    let word = line.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let next: String = super::fold(&rest.trim_start().chars().take(3).collect::<String>());
    if word.chars().all(|c| c.is_ascii_digit()) && (1..=2).contains(&word.len()) {
        return line.trim() != word && !MONTHS.contains(&next.as_str());
    }
    let is_initial = word == "M" || (word.chars().count() == 1 && word.chars().all(char::is_lowercase));
    !is_initial && !ABBREVIATIONS.contains(&super::fold(word).as_str())
}

/// A line break ends a sentence at a blank line, before a list item, and after a line too short to have been wrapped.
fn ends_line(line_so_far: &str, rest: &str) -> bool {
    let line = line_so_far.rsplit('\n').next().unwrap_or(line_so_far).trim_end();
    let next = rest.trim_start_matches([' ', '\t', '\r']);
    next.starts_with('\n') || starts_item(next) || line.chars().count() < 50 || line.ends_with(':')
}

fn starts_item(line: &str) -> bool {
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    line.starts_with(['-', '*', '•', '>', '(']) || (digits > 0 && line[digits..].starts_with(['.', ')']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn prose_is_cut_at_its_marks() {
        assert_eq!(cut("One. Two!? three… \"Four.\" Five"), ["One.", "Two!?", "three…", "\"Four.\"", "Five"]);
    }

    #[test]
    fn numbers_dates_and_abbreviations_hold_together() {
        assert_eq!(cut("Am 12. März kam v4.12.1 für 3.50 an."), ["Am 12. März kam v4.12.1 für 3.50 an."]);
        assert_eq!(cut("commande no. 5 de M. Petit."), ["commande no. 5 de M. Petit."]);
        assert_eq!(cut("It was due by 7. Nothing came."), ["It was due by 7.", "Nothing came."]);
    }

    #[test]
    fn wrapped_lines_are_joined_and_lists_are_not() {
        let wrapped = "Could you please have a look at the invoice that you sent\nlast week? Thanks";
        assert_eq!(cut(wrapped).len(), 2);
        assert_eq!(cut("I need:\n1. a label\n2. a date"), ["I need:", "1. a label", "2. a date"]);
        assert_eq!(cut("hi\nwhere is it"), ["hi", "where is it"]);
    }

    #[test]
    fn a_question_in_brackets_belongs_to_its_sentence() {
        assert_eq!(cut("Tell me (my name? my card?). Then go (now).").len(), 2);
    }

    #[test]
    fn marks_alone_are_no_sentence() {
        assert!(cut("?!? ... \n\n 😡").is_empty());
    }
}
