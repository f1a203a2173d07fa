//! Owns pages in Markdown.

use super::{ImportDefaults, prose::Prose, slug, stem};
use crate::{
    knowledge::{Article, ArticleId, parse},
    language::Language,
    taxonomy::Category,
};

/// Reads a page.
pub(super) fn read(file: &str, text: &str, defaults: &ImportDefaults) -> Result<Vec<Article>, String> {
    let text = text.trim_start_matches('\u{FEFF}').replace("\r\n", "\n");
    if !text.starts_with("---\n") {
        return sections(file, &text, defaults);
    }
    let (front, body) = parse::split_front_matter(&text)?;
    if parse::is_in_our_form(body) {
        return Article::parse(file, &text).map(|article| vec![article]).map_err(|error| error.fault);
    }
    described(file, front, body, defaults).map(|article| vec![article])
}

/// A page that is one article, as its front matter describes it.
fn described(file: &str, front: &str, body: &str, defaults: &ImportDefaults) -> Result<Article, String> {
    let field = |name: &str| parse::field(front, name).ok();
    let (title, content) = titled(body);
    let title = field("title").map(parse::unquoted).or(title).unwrap_or_else(|| stem(file));
    let keywords = ["keywords", "tags"].into_iter().find_map(field).map(parse::list).transpose()?;
    let id = match field("id") {
        Some(id) => ArticleId::parse(id).map_err(|error| error.to_string())?,
        None => slug(&[stem(file)])?,
    };
    let category = field("category").map(Category::parse).transpose().map_err(|error| error.to_string())?;
    let language = field("language").map(Language::parse).transpose().map_err(|error| error.to_string())?;
    let described = ImportDefaults {
        category: category.unwrap_or_else(|| defaults.category.clone()),
        language: language.unwrap_or(defaults.language),
    };
    Ok(article(id, title, keywords.unwrap_or_default(), Prose::of(content), &described))
}

/// A page without front matter: what stands before the first section, and each section.
fn sections(file: &str, text: &str, defaults: &ImportDefaults) -> Result<Vec<Article>, String> {
    let (title, content) = titled(text);
    let title = title.unwrap_or_else(|| stem(file));
    let content = format!("\n{content}");
    let mut parts = content.split("\n## ");
    let mut articles = Vec::new();
    let lead = Prose::of(parts.next().unwrap_or_default());
    if lead != Prose::default() {
        articles.push(article(slug(&[stem(file)])?, title, Vec::new(), lead, defaults));
    }
    for part in parts {
        let (heading, body) = part.split_once('\n').unwrap_or((part, ""));
        let prose = Prose::of(body);
        if prose != Prose::default() {
            let id = slug(&[stem(file), heading])?;
            articles.push(article(id, heading.trim(), vec![title.to_owned()], prose, defaults));
        }
    }
    Ok(articles)
}

/// The `#` heading that a text begins with, and the rest.
fn titled(text: &str) -> (Option<&str>, &str) {
    let text = text.trim_start();
    match text.strip_prefix("# ") {
        Some(rest) => {
            let (title, rest) = rest.split_once('\n').unwrap_or((rest, ""));
            (Some(title.trim()), rest)
        }
        None => (None, text),
    }
}

fn article(
    id: ArticleId,
    title: &str,
    keywords: Vec<String>,
    prose: Prose,
    described: &ImportDefaults,
) -> Article {
    Article {
        id,
        title: title.to_owned(),
        category: described.category.clone(),
        language: described.language,
        keywords,
        summary: prose.summary,
        steps: prose.steps,
        good_to_know: prose.facts,
        when_to_contact: String::new(),
    }
}
