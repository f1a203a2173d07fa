//! Owns the form in which words are compared: lower case, no accents.

use std::sync::LazyLock;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// First character whose folded form is not kept ready: all accented Latin letters come before.
const KEPT: u32 = 0x2000;

/// What the characters before [`KEPT`] fold to, one after the other, and where each begins.
static FOLDED: LazyLock<(String, Vec<usize>)> = LazyLock::new(|| {
    let (mut line, mut starts) = (String::new(), Vec::new());
    for c in (0..=KEPT).filter_map(char::from_u32) {
        starts.push(line.len());
        spell_out(c, &mut line);
    }
    (line, starts)
});

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

/// Adds what `c` folds to.
pub(super) fn fold_into(c: char, folded: &mut String) {
    if u32::from(c) >= KEPT {
        return spell_out(c, folded);
    }
    let (line, starts) = &*FOLDED;
    let at = c as usize;
    folded.push_str(&line[starts[at]..starts[at + 1]]);
}

fn spell_out(c: char, folded: &mut String) {
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

    #[test]
    fn what_is_kept_ready_is_what_would_be_spelt_out() {
        for c in (0x80..=KEPT + 1).filter_map(char::from_u32) {
            let (mut kept, mut spelt) = (String::new(), String::new());
            fold_into(c, &mut kept);
            spell_out(c, &mut spelt);
            assert_eq!(kept, spelt, "{c:?}");
        }
    }
}
