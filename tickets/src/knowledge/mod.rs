//! The knowledge base: articles, how they are read from files, and the set that comes with the program.

mod article;
mod id;
mod parse;
mod shipped;

pub use article::Article;
pub use id::{ArticleId, NotAnArticleId};
pub use parse::ArticleError;
pub use shipped::shipped_articles;
