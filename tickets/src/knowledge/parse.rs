//! Owns the way from a Markdown file to an [`Article`].
//!
//! The form is fixed: front matter between `---` lines, a summary paragraph, then the three sections of
//! [`STEPS`], [`GOOD_TO_KNOW`] and [`WHEN_TO_CONTACT`], each exactly once and not empty.

use super::{article::Article, id::ArticleId};
use crate::{language::Language, taxonomy::Category};

const STEPS: &str = "Steps";
const GOOD_TO_KNOW: &str = "Good to know";
const WHEN_TO_CONTACT: &str = "When to contact us";

/// What keeps a file from being an article.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("article {file}: {fault}")]
pub struct ArticleError {
    /// Name of the file.
    pub file: String,
    /// What is missing or wrong.
    pub fault: String,
}

impl Article {
    /// Reads an article; `file` is its name, for errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, ArticleError> {
        read(text).map_err(|fault| ArticleError { file: file.to_owned(), fault })
    }
}

fn read(text: &str) -> Result<Article, String> {
    let text = text.trim_start_matches('\u{FEFF}').replace("\r\n", "\n");
    let (front, content) = split_front_matter(&text)?;
    let sections = split_sections(content);
    Ok(Article {
        id: ArticleId::parse(field(front, "id")?).map_err(|error| error.to_string())?,
        title: unquoted(field(front, "title")?).to_owned(),
        category: Category::parse(field(front, "category")?).map_err(|error| error.to_string())?,
        language: Language::parse(field(front, "language")?).map_err(|error| error.to_string())?,
        keywords: list(field(front, "keywords")?)?,
        summary: paragraph(section(&sections, "")?, "the summary")?,
        steps: items(section(&sections, STEPS)?, STEPS)?,
        good_to_know: items(section(&sections, GOOD_TO_KNOW)?, GOOD_TO_KNOW)?,
        when_to_contact: paragraph(section(&sections, WHEN_TO_CONTACT)?, WHEN_TO_CONTACT)?,
    })
}

pub(super) fn split_front_matter(text: &str) -> Result<(&str, &str), String> {
    text.strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .ok_or_else(|| "front matter between two lines of --- is missing".to_owned())
}

pub(super) fn field<'a>(front: &'a str, name: &str) -> Result<&'a str, String> {
    let value = front.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    value.filter(|value| !value.is_empty()).ok_or_else(|| format!("front matter has no {name}"))
}

pub(super) fn unquoted(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Reads `[a, b, "c"]`.
pub(super) fn list(value: &str) -> Result<Vec<String>, String> {
    let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    let inner = inner.ok_or("front matter's keywords are not a list in brackets, as [refund, money back]")?;
    let words: Vec<_> =
        inner.split(',').map(unquoted).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if words.is_empty() { Err("front matter's keywords are empty".to_owned()) } else { Ok(words) }
}

/// Whether a page has a section that only our own form has.
pub(super) fn is_in_our_form(content: &str) -> bool {
    let sections = split_sections(content);
    [STEPS, GOOD_TO_KNOW, WHEN_TO_CONTACT].iter().any(|ours| sections.iter().any(|(name, _)| name == ours))
}

/// Heading (empty for what stands before the first) and text of each section.
fn split_sections(content: &str) -> Vec<(&str, &str)> {
    let mut parts = content.split("\n## ");
    let lead = parts.next().unwrap_or_default();
    std::iter::once(("", lead))
        .chain(parts.map(|part| part.split_once('\n').unwrap_or((part, ""))))
        .map(|(heading, text)| (heading.trim(), text.trim()))
        .collect()
}

fn section<'a>(sections: &[(&str, &'a str)], heading: &str) -> Result<&'a str, String> {
    let mut found = sections.iter().filter(|(name, _)| *name == heading);
    match (found.next(), found.next()) {
        (Some((_, text)), None) => Ok(text),
        (None, _) => Err(format!("section \"## {heading}\" is missing")),
        (Some(_), Some(_)) => Err(format!("section \"## {heading}\" stands twice")),
    }
}

fn paragraph(text: &str, what: &str) -> Result<String, String> {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.is_empty() { Err(format!("{what} is empty")) } else { Ok(joined) }
}

/// Reads a list whose items start with `- ` or `1. `; other lines go on with the item above.
fn items(text: &str, heading: &str) -> Result<Vec<String>, String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match (item_start(line), items.last_mut()) {
            (Some(item), _) => items.push(item.trim().to_owned()),
            (None, Some(last)) => *last = format!("{last} {line}"),
            (None, None) => {
                return Err(format!("section \"## {heading}\" does not start with a list item"));
            }
        }
    }
    if items.is_empty() { Err(format!("section \"## {heading}\" is empty")) } else { Ok(items) }
}

fn item_start(line: &str) -> Option<&str> {
    let bullet = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
    bullet.or_else(|| line.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "---\nid: a-page\ntitle: A page: with a colon\ncategory: billing\nlanguage: en\n\
        keywords: [one word, \"two\"]\n---\nThe summary\ngoes on.\n\n## Steps\n1. First\n   still first\n2. Second\n\n\
        ## Good to know\n- Fact.\n\n## When to contact us\nWhen lost.\n";

    #[test]
    fn a_page_is_read_by_section() {
        let article = Article::parse("a-page.md", &PAGE.replace('\n', "\r\n")).unwrap();
        assert_eq!(article.title, "A page: with a colon");
        assert_eq!(article.keywords, ["one word", "two"]);
        assert_eq!(article.summary, "The summary goes on.");
        assert_eq!(article.steps, ["First still first", "Second"]);
        assert_eq!(article.good_to_know, ["Fact."]);
        assert_eq!(article.passages().count(), 5);
    }

    #[test]
    fn errors_name_the_file_and_what_is_missing() {
        let fault =
            |from: &str, to: &str| Article::parse("p.md", &PAGE.replace(from, to)).unwrap_err().to_string();
        assert_eq!(fault("title:", "name:"), "article p.md: front matter has no title");
        assert_eq!(fault("## Steps", "## Stages"), "article p.md: section \"## Steps\" is missing");
        assert_eq!(fault("When lost.", ""), "article p.md: When to contact us is empty");
        assert_eq!(fault("- Fact.", ""), "article p.md: section \"## Good to know\" is empty");
        assert!(fault("---\nid", "id").contains("front matter between"));
        assert!(fault("language: en", "language: english").contains("english"));
        assert!(fault("The summary\ngoes on.\n", "").contains("the summary is empty"));
    }
}
