//! Owns how a ticket's words stand in a draft: on one line, short, without links, addresses, numbers of cards, or marks
//! that a Markdown reader or a template would act on.

use crate::provider::offline::extract::Contacts;

/// `text` as a quote of at most `most` characters; empty when nothing is left of it.
pub(in super::super) fn one_line(contacts: &Contacts, text: &str, most: usize) -> String {
    let mut bare = text.to_owned();
    let private = [contacts.urls(text), contacts.emails(text), contacts.cards(text), contacts.phones(text)];
    for found in private.iter().flatten() {
        bare = bare.replace(found.as_str(), "…");
    }
    let plain: String = bare.chars().map(plain).collect();
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = without_number(line.trim_start_matches(['-', '•', '–', '!', ')', ' ']));
    shortened(line, most)
}

/// Quotation marks become single ones, so that the quote around them ends where it should; other marks become blanks.
fn plain(c: char) -> char {
    match c {
        '“' | '”' | '„' | '«' | '»' | '"' => '\'',
        '{' | '}' | '<' | '>' | '[' | ']' | '`' | '*' | '|' | '\\' | '#' => ' ',
        control if control.is_control() => ' ',
        other => other,
    }
}

/// Takes off the number of a list item.
fn without_number(line: &str) -> &str {
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    match line[digits..].strip_prefix(['.', ')']) {
        Some(rest) if (1..=2).contains(&digits) && rest.starts_with(' ') => rest.trim_start(),
        Some(_) | None => line,
    }
}

fn shortened(line: &str, most: usize) -> String {
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let head: String = line.chars().take(most).collect();
    let whole_words = head.rsplit_once(' ').map_or(head.as_str(), |(words, _)| words);
    format!("{} …", whole_words.trim_end_matches([',', ';', ':', '.', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        one_line(&Contacts::load().unwrap(), text, 60)
    }

    #[test]
    fn a_quote_is_one_short_line() {
        assert_eq!(quoted("1. Could you\n  send it   again?"), "Could you send it again?");
        let long = quoted(&"word ".repeat(40));
        assert!(long.chars().count() <= 62 && long.ends_with(" …"), "{long}");
    }

    #[test]
    fn marks_links_and_numbers_of_people_are_left_out() {
        let text = "See {{ secret }} <b> ![x](https://a.example/p) a@b.example 4111 1111 1111 1111 `x`";
        let line = quoted(text);
        for gone in ["{", "}", "<", "[", "https", "@", "4111", "`"] {
            assert!(!line.contains(gone), "{line}");
        }
    }

    #[test]
    fn nothing_is_left_of_marks_alone() {
        assert_eq!(quoted("***"), "");
    }
}
