//! Owns the way from files that people have to articles: Markdown, with or without front matter, and JSON.
//!
//! Lenient where [`Article::parse`] is strict: a page in another form than ours still has a title, an answer, steps and
//! facts. Nothing that a file says is left out but its markup.

mod json;
mod markdown;
mod prose;

use super::{article::Article, id::ArticleId, parse::ArticleError};
use crate::{language::Language, taxonomy::Category};
use std::{collections::HashSet, path::Path};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Longest id, in characters.
const LONGEST_ID: usize = 100;

/// What an article is taken for whose file does not say it.
#[derive(Debug, Clone)]
pub struct ImportDefaults {
    /// Category of the articles.
    pub category: Category,
    /// Language they are written in.
    pub language: Language,
}

/// Reads the articles of a file called `file`, whose ending tells its form: `.md`, `.markdown` or `.json`.
///
/// A Markdown page with front matter is one article; without it, each of its `##` sections is one. A JSON file holds
/// articles as `GET /articles` shows them (one, an array, or an object with `articles`), or guidelines: objects within
/// objects, of which each that holds lists is an article.
///
/// # Errors
/// If the ending is another, or the text does not have the form; the error names the file and what is wrong.
pub fn read_articles(
    file: &str,
    text: &str,
    defaults: &ImportDefaults,
) -> Result<Vec<Article>, ArticleError> {
    let ending = Path::new(file).extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
    let articles = match ending.as_deref() {
        Some("md" | "markdown") => markdown::read(file, text, defaults),
        Some("json") => json::read(file, text, defaults),
        Some(_) | None => Err("is neither .md nor .json; rename it, or turn it into one of them".to_owned()),
    };
    let fault = |fault| ArticleError { file: file.to_owned(), fault };
    let mut articles = articles.map_err(fault)?;
    if articles.is_empty() {
        return Err(fault("holds no article".to_owned()));
    }
    tell_apart(&mut articles).map_err(fault)?;
    for article in &articles {
        article.check().map_err(|problem| fault(format!("article {}: {problem}", article.id)))?;
    }
    Ok(articles)
}

/// The name of the file without folders and ending.
fn stem(file: &str) -> &str {
    Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or(file)
}

/// The id made of `parts`: their letters without accents, and digits.
fn slug(parts: &[&str]) -> Result<ArticleId, String> {
    let letters = parts.join(" ");
    let letters = letters.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let mut id = String::new();
    for letter in letters.map(|c| if c == 'đ' { 'd' } else { c }) {
        if letter.is_ascii_alphanumeric() {
            id.push(letter);
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    id.truncate(LONGEST_ID);
    ArticleId::parse(id.trim_end_matches('-')).map_err(|_| {
        format!("no id can be made of {:?}: name the file or article in Latin letters", parts.join(" "))
    })
}

/// Gives each article after the first of an id a number.
fn tell_apart(articles: &mut [Article]) -> Result<(), String> {
    let mut taken: HashSet<ArticleId> = HashSet::new();
    for article in articles {
        let plain = article.id.clone();
        let mut number = 2;
        while !taken.insert(article.id.clone()) {
            let suffix = format!("-{number}");
            let kept = plain.as_str().len().min(LONGEST_ID - suffix.len());
            let id = format!("{}{suffix}", plain.as_str()[..kept].trim_end_matches('-'));
            article.id = ArticleId::parse(&id).map_err(|error| error.to_string())?;
            number += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> ImportDefaults {
        ImportDefaults { category: Category::parse("general").unwrap(), language: Language::EN }
    }

    fn read(file: &str, text: &str) -> Vec<Article> {
        read_articles(file, text, &defaults()).unwrap()
    }

    fn fault(file: &str, text: &str) -> String {
        read_articles(file, text, &defaults()).unwrap_err().to_string()
    }

    #[test]
    fn each_section_of_a_plain_page_is_an_article() {
        let page = "# Shop policy\n\nWe help.\n\n## Cancel an order\n\nOnly a *pending* order can be cancelled.\n\n1. Open \
            it.\n2. Choose\n   cancel.\n\n- Refunds take a week.\n\nAsk us.\n\n## Cancel an order\n\nTwice.\n";
        let articles = read("policies/Shop Policy.md", page);
        let ids: Vec<_> = articles.iter().map(|article| article.id.as_str()).collect();
        assert_eq!(ids, ["shop-policy", "shop-policy-cancel-an-order", "shop-policy-cancel-an-order-2"]);
        let cancel = &articles[1];
        assert_eq!(
            (cancel.title.as_str(), cancel.keywords.as_slice()),
            ("Cancel an order", ["Shop policy".into()].as_slice())
        );
        assert_eq!(cancel.summary, "Only a *pending* order can be cancelled.");
        assert_eq!(cancel.steps, ["Open it.", "Choose cancel."]);
        assert_eq!(cancel.good_to_know, ["Refunds take a week.", "Ask us."]);
        assert_eq!(articles[0].summary, "We help.");
    }

    #[test]
    fn front_matter_says_what_an_article_is() {
        let page = "---\ntitle: \"Rückgabe\"\ncategory: order\nlanguage: de\ntags: [Retoure, zurück]\n---\nSo geht es.\n\n1. \
            Los.\n";
        let article = read("ruckgabe.md", page).remove(0);
        assert_eq!((article.id.as_str(), article.title.as_str()), ("ruckgabe", "Rückgabe"));
        assert_eq!((article.category.as_str(), article.language), ("order", Language::DE));
        assert_eq!(
            (article.keywords.len(), article.steps.len(), article.summary.as_str()),
            (2, 1, "So geht es.")
        );
        assert!(fault("x.md", "---\ntitle: A\nlanguage: german\n---\nText.").contains("german"));
        assert!(fault("x.md", "---\ntitle: A\n").contains("front matter"));
    }

    #[test]
    fn our_own_form_is_read_as_ever() {
        for article in super::super::shipped_articles().unwrap() {
            let front = format!(
                "---\nid: {}\ntitle: {}\ncategory: {}\nlanguage: {}\nkeywords: [{}]\n---\n",
                article.id,
                article.title,
                article.category,
                article.language,
                article.keywords.join(", "),
            );
            let markdown = article.to_markdown();
            let body = markdown.split_once("\n\n").unwrap().1;
            assert_eq!(read("x.md", &format!("{front}{body}")), [article]);
        }
    }

    #[test]
    fn articles_as_the_api_shows_them_are_read_back() {
        let article = super::super::shipped_articles().unwrap().remove(0);
        let json = serde_json::to_string(&article).unwrap();
        for text in
            [json.clone(), format!("[{json}]"), format!("{{\"articles\":[{json}],\"next_cursor\":null}}")]
        {
            assert_eq!(read("a.json", &text), std::slice::from_ref(&article));
        }
        assert!(fault("a.json", "[{\"title\":\"A\"}]").contains("article 0"));
    }

    #[test]
    fn guidelines_within_guidelines_are_articles() {
        let text = r#"{"Refunds": {"description": "money back", "subflows": {"Status of a refund": {
            "instructions": ["The customer asks when.", "Be kind."],
            "actions": [{"type": "ask", "text": "Ask for the order:", "subtext": ["its number", "its date"]}]}}}}"#;
        let article = read("guide.json", text).remove(0);
        assert_eq!(
            (article.id.as_str(), article.title.as_str()),
            ("guide-status-of-a-refund", "Status of a refund")
        );
        assert_eq!(article.summary, "The customer asks when.");
        assert_eq!(article.steps, ["Ask for the order: its number; its date"]);
        assert_eq!(article.good_to_know, ["Be kind."]);
        assert_eq!(article.keywords, ["Refunds", "money back"]);
    }

    #[test]
    fn what_is_no_article_is_refused_with_what_to_do() {
        assert!(fault("notes.txt", "Hello").contains("neither .md nor .json"));
        assert!(fault("empty.md", " \n").contains("holds no article"));
        assert!(fault("x.json", "{").contains("not JSON"));
        assert!(fault("x.json", "{\"a\": 1}").contains("holds no article"));
        assert!(fault("страница.md", "# Страница\n\nТекст.").contains("Latin letters"));
        let long = format!("# T\n\n{}", "word ".repeat(5_000));
        assert!(fault("long.md", &long).contains("at most"));
    }
}
