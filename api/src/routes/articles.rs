//! The knowledge base: to read, to search, to import into.

use crate::{
    extract::{Body, BodyDocument, NamePath, Params},
    problem::{Fault, Problem},
    routes::next_link,
    state::ApiState,
};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::HeaderMap,
};
use serde::Serialize;
use serde_json::Value;
use ticketflow_tickets::{
    knowledge::{self, Article, ArticleId, Found, Search, StoredArticle},
    language::Language,
    taxonomy::Category,
    triage::Fraction,
};

/// Most articles on a page, and how many there are unless the client asks for fewer.
const PAGE: u16 = 100;
/// Most hits of a search, and how many there are unless the client asks otherwise.
const MAX_HITS: u16 = 50;
const HITS: u16 = 10;
/// Most characters of a search.
const MAX_QUERY: usize = 2_000;
/// Most articles of one import.
const MAX_IMPORT: usize = 200;

/// A page on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct Articles {
    articles: Vec<StoredArticle>,
    next_cursor: Option<String>,
}

/// `GET /articles`
pub(crate) async fn list(
    State(state): State<ApiState>,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<(HeaderMap, Json<Articles>), Problem> {
    let category = category(&mut params)?;
    let after = params.parsed("cursor", "an article's id", |slug| ArticleId::parse(slug).ok())?;
    let limit = params.number("limit", 1, PAGE)?.unwrap_or(PAGE);
    params.finish()?;
    let mut connection = state.connection().await?;
    // One more than asked for tells whether there is a next page.
    let mut articles = knowledge::list(&mut connection, category.as_ref(), after.as_ref(), limit + 1).await?;
    let more = articles.len() > usize::from(limit);
    articles.truncate(limit.into());
    let next_cursor = articles.last().filter(|_| more).map(|last| last.article.id.to_string());
    let link = next_cursor.as_ref().map(|cursor| {
        let kept = category.map(|category| format!("&category={category}")).unwrap_or_default();
        next_link(uri.path(), &format!("cursor={cursor}&limit={limit}{kept}"))
    });
    Ok((link.unwrap_or_default(), Json(Articles { articles, next_cursor })))
}

fn category(params: &mut Params) -> Result<Option<Category>, Problem> {
    params.parsed("category", "the name of a category", |name| Category::parse(name).ok())
}

/// `GET /articles/{id}`
pub(crate) async fn show(
    State(state): State<ApiState>,
    NamePath(name): NamePath,
) -> Result<Json<StoredArticle>, Problem> {
    let unknown = || Problem::not_found("article", &format!("{name:?}"));
    let id = ArticleId::parse(&name).map_err(|_| unknown())?;
    let mut connection = state.connection().await?;
    let articles = knowledge::get(&mut connection, &[id]).await?;
    articles.into_iter().next().map(Json).ok_or_else(unknown)
}

/// An article that was found.
#[derive(Debug, Serialize)]
struct Hit {
    article_id: ArticleId,
    title: String,
    category: Category,
    language: Language,
    snippet: String,
    score: Fraction,
    why: String,
}

impl From<Found> for Hit {
    fn from(found: Found) -> Self {
        let article = found.article.article.clone();
        Self {
            article_id: article.id,
            title: article.title,
            category: article.category,
            language: article.language,
            snippet: found.snippet,
            score: found.score,
            why: found.why,
        }
    }
}

/// What a search found, best first.
#[derive(Debug, Serialize)]
pub(crate) struct Hits {
    articles: Vec<Hit>,
}

/// `GET /articles/search`
pub(crate) async fn search(State(state): State<ApiState>, mut params: Params) -> Result<Json<Hits>, Problem> {
    let text = params.text("q").ok_or_else(|| Problem::invalid_parameter("q", "required", "is required"))?;
    if text.chars().count() > MAX_QUERY {
        return Err(Problem::invalid_parameter(
            "q",
            "too_long",
            format!("must have at most {MAX_QUERY} characters"),
        ));
    }
    let language =
        params.parsed("language", "an ISO 639-1 code such as en", |code| Language::parse(code).ok())?;
    let category = category(&mut params)?;
    let limit = params.number("limit", 1, MAX_HITS)?.unwrap_or(HITS);
    params.finish()?;
    let language = language.unwrap_or(Language::EN);
    let search = Search { text: &text, language, category: category.as_ref(), limit };
    let mut connection = state.connection().await?;
    let found = knowledge::search(&mut connection, search).await?;
    Ok(Json(Hits { articles: found.into_iter().map(Hit::from).collect() }))
}

/// Articles that somebody wrote or changed.
#[derive(Debug)]
pub(crate) struct Import(Vec<Article>);

impl BodyDocument for Import {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let fault = |pointer: String, code, detail: String| Fault { pointer, code, detail };
        let items = value.get("articles").and_then(Value::as_array).filter(|items| !items.is_empty());
        let items = items.ok_or_else(|| {
            let detail = "must be an array of at least one article".to_owned();
            vec![fault("/articles".to_owned(), "required", detail)]
        })?;
        if items.len() > MAX_IMPORT {
            let detail = format!("must hold at most {MAX_IMPORT} articles, holds {}", items.len());
            return Err(vec![fault("/articles".to_owned(), "too_long", detail)]);
        }
        let (mut articles, mut faults) = (Vec::new(), Vec::new());
        for (number, item) in items.iter().enumerate() {
            let article = serde_json::from_value::<Article>(item.clone()).map_err(|error| error.to_string());
            match article.and_then(|article| article.check().map(|()| article)) {
                Ok(article) => articles.push(article),
                Err(problem) => faults.push(fault(format!("/articles/{number}"), "invalid_value", problem)),
            }
        }
        if faults.is_empty() { Ok(Self(articles)) } else { Err(faults) }
    }
}

/// What became of an import.
#[derive(Debug, Serialize)]
pub(crate) struct Imported {
    /// Articles that are new or changed.
    written: usize,
    /// Articles that stood there already, as they are.
    unchanged: usize,
}

/// `POST /articles/import`: all of them or none.
pub(crate) async fn import(
    State(state): State<ApiState>,
    Body(Import(articles)): Body<Import>,
) -> Result<Json<Imported>, Problem> {
    let mut connection = state.connection().await?;
    let written = knowledge::put_all(&mut connection, &articles).await?;
    Ok(Json(Imported { written, unchanged: articles.len() - written }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(value: &Value) -> Vec<(String, &'static str)> {
        let faults = Import::parse(value).unwrap_err();
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn every_article_that_cannot_be_taken_is_named() {
        let article = json!({
            "id": "a", "title": "A", "category": "order", "language": "en", "keywords": [], "summary": "S.",
            "steps": [], "good_to_know": [], "when_to_contact": "",
        });
        assert_eq!(Import::parse(&json!({ "articles": [article] })).unwrap().0.len(), 1);
        let (mut untitled, mut foreign) = (article.clone(), article.clone());
        untitled["title"] = " ".into();
        foreign["language"] = "english".into();
        assert_eq!(
            faults(&json!({ "articles": [untitled, article, foreign, {}] })),
            ["0", "2", "3"].map(|number| (format!("/articles/{number}"), "invalid_value"))
        );
        let many = vec![article; MAX_IMPORT + 1];
        assert_eq!(faults(&json!({ "articles": many })), [("/articles".to_owned(), "too_long")]);
        for nothing in [json!({}), json!([]), json!({ "articles": [] }), json!({ "articles": 7 })] {
            assert_eq!(faults(&nothing), [("/articles".to_owned(), "required")]);
        }
    }
}
