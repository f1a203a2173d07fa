//! Owns the form in which words are compared: lower case, no accents.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Lower-cases `text` and takes its accents off; letters that are more than an accented one are spelt out (`ß`, `đ`).
pub(in super::super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        // Most letters by far; accents that follow one are dropped by themselves.
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else {
            fold_into(c, &mut folded);
        }
    }
    folded
}

fn fold_into(c: char, folded: &mut String) {
    for base in std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c)) {
        for lower in base.to_lowercase() {
            match lower {
                'ß' => folded.push_str("ss"),
                'đ' | 'ð' => folded.push('d'),
                'ø' => folded.push('o'),
                'ł' => folded.push('l'),
                'ı' => folded.push('i'),
                'æ' => folded.push_str("ae"),
                'œ' => folded.push_str("oe"),
                other if is_combining_mark(other) => {}
                other => folded.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count() {
        assert_eq!(fold("ÜBERWEISUNG Größe"), "uberweisung grosse");
        assert_eq!(fold("Cœur, ação, ĐƠN HÀNG, İ"), "coeur, acao, don hang, i");
    }
}
