//! What research finds: from memory what the database finds, and never long after it changed.

use crate::support::{
    TestApp,
    app::ticket,
    database::{Database, Schema},
    until,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use ticketflow_tickets::{
    knowledge::{self, Article, Found, Library, Search},
    language::Language,
    taxonomy::Category,
};

const SAMPLES: &str = include_str!("../../tickets/data/samples/tickets.jsonl");

fn texts() -> Vec<String> {
    let samples = SAMPLES.lines().filter(|line| !line.trim().is_empty());
    let samples = samples.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |sample: Value| {
        format!("{}\n{}", sample["subject"].as_str().unwrap(), sample["body"].as_str().unwrap())
    };
    samples.map(text).collect()
}

fn points(found: &[Found]) -> Vec<(&str, f64, &str, &str)> {
    found
        .iter()
        .map(|found| {
            (found.article.article.id.as_str(), found.score.get(), found.why.as_str(), found.snippet.as_str())
        })
        .collect()
}

async fn from_database(pool: &PgPool, search: Search<'_>) -> Vec<Found> {
    knowledge::search(&mut pool.acquire().await.unwrap(), search).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_finds_what_the_database_finds() {
    let database = Database::create(Schema::Desk).await;
    let pool = database.pool().await;
    let library = Library::new(pool.clone());
    let category = Category::parse("billing").unwrap();
    let mut compared = 0;
    for text in texts() {
        for language in [Language::EN, Language::DE, Language::ES, Language::FR, Language::VI] {
            let search = Search { text: &text, language, category: Some(&category), limit: 10 };
            let (held, asked) = (library.search(search).await.unwrap(), from_database(&pool, search).await);
            let (held, asked) = (points(&held), points(&asked));
            assert_eq!(held.len(), asked.len());
            for ((id, score, why, snippet), expected) in held.iter().zip(&asked) {
                assert_eq!((id, why, snippet), (&expected.0, &expected.2, &expected.3), "{language}: {text}");
                assert!((score - expected.1).abs() < 1e-6, "{id}: {score} and {}", expected.1);
            }
            compared += held.len();
        }
    }
    assert!(compared > 1_000, "{compared}");
    pool.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_sees_articles_come_change_and_go() {
    let database = Database::create(Schema::Desk).await;
    let (pool, editor) = (database.pool().await, database.direct_pool().await);
    let library = Library::new(pool.clone());
    let search = Search { text: "zeppelins", language: Language::EN, category: None, limit: 3 };
    let titles = || async {
        let found = library.search(search).await.unwrap();
        // The second try, for words that are nearly alike, asks the database itself.
        let held = found.into_iter().filter(|found| found.why.starts_with("shares"));
        held.map(|found| found.article.article.title.clone()).collect::<Vec<_>>()
    };
    assert!(titles().await.is_empty());
    let page = |title: &str| {
        let text = format!(
            "---\nid: zeppelin\ntitle: {title}\ncategory: orders\nlanguage: en\nkeywords: [zeppelin]\n---\nWe ship by \
             zeppelin.\n\n## Steps\n1. Look up.\n\n## Good to know\n- It is slow.\n\n## When to contact us\nNever.\n"
        );
        Article::parse("zeppelin.md", &text).unwrap()
    };
    for title in ["Zeppelin", "Zeppelin mail"] {
        knowledge::put(&mut editor.acquire().await.unwrap(), &page(title)).await.unwrap();
        until("the article is found", || async { titles().await == [title] }).await;
    }
    let id = page("Zeppelin").id;
    assert_eq!(library.get(std::slice::from_ref(&id)).await.unwrap()[0].article.title, "Zeppelin mail");
    assert!(knowledge::delete(&mut editor.acquire().await.unwrap(), &id).await.unwrap());
    until("the article is gone", || async { titles().await.is_empty() }).await;
    assert!(library.get(&[id]).await.unwrap().is_empty());
    pool.close().await;
    editor.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_shown_those_of_its_customer_and_those_solved_like_it() {
    let app = TestApp::start().await;
    let worker = app.worker(&[]);
    let post = |customer: &'static str, number: usize| {
        let mut body = ticket(number);
        body["subject"] = "Where can I download my invoice archive?".into();
        body["body"] = format!("I would like to download the invoice archive of number {number}.").into();
        body["customer_id"] = customer.into();
        let request = app.http().post(app.url("/tickets")).header("prefer", "wait=30").json(&body);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let first = post("ada", 1).await;
    assert_eq!(first["status"], "completed", "{first}");
    let id = first["ticket_id"].clone();
    let own = post("ada", 2).await;
    let shown = &own["ticket"]["result"]["earlier_tickets"];
    assert_eq!((shown.as_array().map(Vec::len), &shown[0]["ticket_id"]), (Some(1), &id), "{own}");
    assert!(shown[0]["similarity"].as_f64().unwrap() > 0.8, "{shown}");
    assert_eq!(shown[0]["duplicate"], true, "nobody has resolved the first: {shown}");
    let numbers = std::sync::atomic::AtomicUsize::new(3);
    until("a stranger's ticket is shown solved ones", || async {
        let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let other = post("grace", number).await;
        let similar =
            other["ticket"]["result"]["similar_solved"].as_array().unwrap_or_else(|| panic!("{other}"));
        let solved = |similar: &Value| {
            similar["status"] == json!("completed") && similar["similarity"].as_f64() > Some(0.8)
        };
        !similar.is_empty() && similar.iter().all(solved)
    })
    .await;
    assert_eq!(worker.stop().await, 0);
    app.finish().await;
}
