//! Owns [`Rewrite`]: how the reply that a person approved differs from the draft.

use super::measure::Fraction;
use crate::word::closed_words;
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};

/// How a reply differs from the draft it was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rewrite {
    /// Levenshtein distance in characters, divided by the length of the longer text (Levenshtein, "Binary codes capable
    /// of correcting deletions, insertions and reversals", 1966): 0 unchanged, 1 nothing in common.
    pub distance: Fraction,
    /// The way from the draft to the reply, word by word; empty if they are the same.
    pub diff: Vec<DiffPart>,
}

/// Words in a row that share a fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffPart {
    /// Their fate.
    pub change: Change,
    /// The words, with the white space between them.
    pub text: String,
}

closed_words! {
    /// What became of words of the draft.
    Change {
        /// They stand in both.
        Kept => "kept",
        /// They stand in the draft alone.
        Removed => "removed",
        /// They stand in the reply alone.
        Added => "added",
    }
}

impl Rewrite {
    /// Compares a draft with the reply. Takes time in proportion to the product of their lengths: up to a second for the
    /// longest replies that the API takes.
    pub fn between(draft: &str, reply: &str) -> Self {
        if draft == reply {
            return Self { distance: Fraction::ZERO, diff: Vec::new() };
        }
        let distance = Fraction::clamped(1.0 - strsim::normalized_levenshtein(draft, reply));
        let mut diff: Vec<DiffPart> = Vec::new();
        for change in TextDiff::from_words(draft, reply).iter_all_changes() {
            let fate = match change.tag() {
                ChangeTag::Equal => Change::Kept,
                ChangeTag::Delete => Change::Removed,
                ChangeTag::Insert => Change::Added,
            };
            match diff.last_mut().filter(|last| last.change == fate) {
                Some(last) => last.text.push_str(change.value()),
                None => diff.push(DiffPart { change: fate, text: change.value().to_owned() }),
            }
        }
        Self { distance, diff }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(rewrite: &Rewrite, gone: Change) -> String {
        rewrite.diff.iter().filter(|part| part.change != gone).map(|part| part.text.as_str()).collect()
    }

    #[test]
    fn a_reply_sent_as_it_was_drafted_has_no_distance() {
        let rewrite = Rewrite::between("Dear Ada", "Dear Ada");
        assert_eq!((rewrite.distance, rewrite.diff), (Fraction::ZERO, Vec::new()));
    }

    #[test]
    fn the_distance_is_the_share_of_characters_to_change() {
        let distance = |draft, reply| Rewrite::between(draft, reply).distance.get();
        assert!((distance("kitten", "sitting") - 3.0 / 7.0).abs() < 1e-9);
        assert!((distance("grün", "blau") - 1.0).abs() < 1e-9, "characters count, not bytes");
        assert!((distance("", "abc") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_diff_leads_from_the_draft_to_the_reply() {
        let (draft, reply) =
            ("Dear Ada, we will refund you today.", "Dear Ada, we will refund 49.90 EUR to you.");
        let rewrite = Rewrite::between(draft, reply);
        assert_eq!(
            (side(&rewrite, Change::Added), side(&rewrite, Change::Removed)),
            (draft.into(), reply.into())
        );
        assert_eq!(
            rewrite.diff[0],
            DiffPart { change: Change::Kept, text: "Dear Ada, we will refund ".into() }
        );
    }
}
