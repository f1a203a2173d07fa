//! The knowledge base: articles, how they are read from files, the set that comes with the program, and the table
//! `articles`.

mod article;
mod id;
mod import;
mod library;
mod parse;
mod row;
mod search;
mod shipped;
mod store;
mod typo;
mod words;

pub use article::Article;
pub use id::{ArticleId, NotAnArticleId};
pub use import::{ImportDefaults, read_articles};
pub use library::{Library, Lookup};
pub use parse::ArticleError;
pub use row::{Source, StoredArticle};
pub use search::{Fit, Found, Search, search};
pub use shipped::shipped_articles;
pub use store::{delete, get, list, put, put_all, seed};
