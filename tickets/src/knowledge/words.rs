//! The words of a text that a search is made with. Text is data: only letters and digits get through.

/// Most words a search is made with: what a ticket is about stands at its start.
const MOST: usize = 48;

/// The text's words in lower case, each once, in order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let word = word.to_lowercase();
        let says_something = word.chars().count() >= 2 && word.len() <= 60;
        if says_something && !words.contains(&word) {
            words.push(word);
        }
        if words.len() == MOST {
            break;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_and_digits_get_through() {
        assert_eq!(
            words("Don't drop; 'a' & (Überweisung|paid):* paid \0 42"),
            ["don", "drop", "überweisung", "paid", "42"]
        );
        let long = (10..99).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(words(&long).len(), MOST);
    }
}
