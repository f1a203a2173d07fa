//! What somebody probably meant who wrote a name that does not exist.

/// The one of `known` that is most like `name`, if any is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distances =
        known.into_iter().map(|word| (strsim::damerau_levenshtein(&name, &word.to_lowercase()), word));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    // A third of the letters may be wrong; past that it is another word.
    (distance * 3 <= word.chars().count().max(3)).then_some(word)
}

/// `; did you mean classify?`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|word| format!("; did you mean {word}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognised_and_another_word_is_not() {
        let known = ["classify", "extract", "draft"];
        assert_eq!(nearest("clasify", known), Some("classify"));
        assert_eq!(nearest("Darft", known), Some("draft"));
        assert_eq!(nearest("publish", known), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(did_you_mean("extrct", known), "; did you mean extract?");
    }
}
