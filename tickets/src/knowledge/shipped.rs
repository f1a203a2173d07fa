//! Owns the articles that come with the program: every `.md` file in `data/articles`.

use super::{article::Article, parse::ArticleError};
use include_dir::{Dir, include_dir};

static ARTICLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/data/articles");

/// Reads the articles that come with the program, in the order of their file names.
pub fn shipped_articles() -> Result<Vec<Article>, ArticleError> {
    let mut files: Vec<_> =
        ARTICLES.files().filter(|file| file.path().extension().is_some_and(|e| e == "md")).collect();
    files.sort_by_key(|file| file.path());
    files.into_iter().map(read).collect()
}

fn read(file: &include_dir::File<'_>) -> Result<Article, ArticleError> {
    let name = file.path().display().to_string();
    let text = file
        .contents_utf8()
        .ok_or_else(|| ArticleError { file: name.clone(), fault: "is not UTF-8".to_owned() })?;
    Article::parse(&name, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taxonomy::Taxonomy;
    use std::collections::HashSet;

    #[test]
    fn every_shipped_article_is_well_formed_and_has_its_own_id() {
        let articles = shipped_articles().unwrap();
        let taxonomy = Taxonomy::built_in().unwrap();
        assert!(articles.len() >= 40, "{}", articles.len());
        let ids: HashSet<_> = articles.iter().map(|article| &article.id).collect();
        assert_eq!(ids.len(), articles.len());
        for article in &articles {
            assert!(taxonomy.category(article.category.as_str()).is_ok(), "{}", article.id);
        }
    }

    #[test]
    fn a_file_is_called_after_its_article() {
        for article in shipped_articles().unwrap() {
            assert!(ARTICLES.contains(format!("{}.md", article.id)), "{}", article.id);
        }
    }
}
