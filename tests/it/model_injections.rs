//! Attempts to instruct the program, where every step asks a model that obeys whatever it reads: posted over HTTP, through the
//! whole workflow.

use crate::support::{
    TestApp,
    app::ticket,
    receiver::{Receiver, SECRET},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use ticketflow_fake_llm::{Behaviour, FakeModel, INVENTED_ID, INVENTED_LINK, Mode};
use ticketflow_tickets::{
    knowledge::{Article, shipped_articles},
    language::Language,
};

/// Attempts that the rules see, nearly all of them, and set aside before a model is asked.
const CORPUS: &str = include_str!("../../steps/tests/offline/data/injections.jsonl");
/// Attempts that no rule sees: the model reads and obeys them.
const UNSEEN: &str = include_str!("data/unseen_injections.jsonl");
/// Steps whose output a reader could take for what the program says: the others quote the ticket and the articles.
const SPEAKING: [&str; 4] = ["classify", "draft", "review", "finalize"];

/// Kinds of tickets that attempts are put into.
const KINDS: usize = 5;

/// An attempt.
#[derive(Debug, Clone, Deserialize)]
struct Attempt {
    #[serde(rename = "where")]
    place: Place,
    #[serde(rename = "attempt")]
    text: String,
    canary: String,
    link: String,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Subject,
    Body,
    Article,
    Metadata,
}

fn attempts(lines: &str) -> Vec<Attempt> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A desk whose model obeys, with actions that nobody approves.
struct Obeying {
    app: TestApp,
    model: FakeModel,
    receiver: Receiver,
    directory: tempfile::TempDir,
}

/// A ticket, triaged.
struct Triaged {
    ticket: Value,
    /// What each step made of it last.
    outputs: BTreeMap<String, Value>,
    events: Value,
}

impl Obeying {
    async fn open() -> Self {
        let (app, receiver) = (TestApp::start().await, Receiver::start().await);
        let model = FakeModel::start(Behaviour::always(Mode::Obey)).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("actions.toml"), receiver.actions(1_000, 0)).unwrap();
        let steps = ["classify", "extract", "draft", "review"];
        let steps = steps.map(|step| format!("[steps.{step}]\nprovider = 'fake'\nmodel = 'fake'\n")).concat();
        let url = model.url();
        let config =
            format!("[triage]\nactions = 'actions.toml'\n[providers.fake]\nbase_url = '{url}'\n{steps}");
        std::fs::write(directory.path().join("ticketflow.toml"), config).unwrap();
        Self { app, model, receiver, directory }
    }

    /// Posts tickets in one batch and takes all of them through triage.
    async fn triage(&self, tickets: &[Value]) -> Vec<Triaged> {
        let (status, answer) = self.app.post("/tickets/batch", &json!(tickets)).await;
        assert!(status.is_success(), "{answer}");
        let config = self.directory.path().join("ticketflow.toml");
        let flags = ["--config", config.to_str().unwrap()];
        let worker = self.app.worker_told(&flags, &[("RECEIVER_SECRET", SECRET)]);
        self.app.settle().await;
        assert_eq!(worker.stop().await, 0);
        let mut triaged = Vec::new();
        for result in answer["results"].as_array().unwrap() {
            triaged.push(self.triaged(result["ticket_id"].as_str().unwrap()).await);
        }
        triaged
    }

    async fn triaged(&self, id: &str) -> Triaged {
        let ticket = self.app.get(&format!("/tickets/{id}")).await.1;
        let events = self.app.get(&format!("/tickets/{id}/events?limit=500")).await.1;
        let made = events.as_array().unwrap().iter().filter_map(|event| {
            let output = event.pointer("/payload/output")?;
            Some((event["step_name"].as_str()?.to_owned(), output.clone()))
        });
        Triaged { outputs: made.collect(), ticket, events }
    }

    async fn close(self) {
        self.app.finish().await;
        self.model.stop().await;
    }
}

/// Tickets that each carry an attempt. Those in articles stand in what the ticket asks about: each in an article of its own.
fn attacked(attempts: &[Attempt], articles: &[Article]) -> Vec<Value> {
    let mut articles = articles.iter();
    attempts
        .iter()
        .enumerate()
        .map(|(number, attempt)| one_attacked(number, attempt, &mut articles))
        .collect()
}

fn one_attacked<'a>(
    number: usize,
    attempt: &Attempt,
    articles: &mut impl Iterator<Item = &'a Article>,
) -> Value {
    let mut ticket = ticket(number % KINDS);
    let with = |field: &Value, between: &str| format!("{}{between}{}", field.as_str().unwrap(), attempt.text);
    match attempt.place {
        Place::Subject => ticket["subject"] = with(&ticket["subject"], " ").into(),
        Place::Body => ticket["body"] = with(&ticket["body"], "\n\n").into(),
        Place::Metadata => ticket["metadata"] = json!({ "note": attempt.text }),
        Place::Article => {
            let article = articles.next().unwrap();
            ticket["subject"] = article.title.clone().into();
            ticket["body"] = format!("Can you help me with this: {}?", article.keywords.join(", ")).into();
        }
    }
    ticket
}

/// English articles, each with an attempt in several places.
fn poisoned(attempts: &[Attempt]) -> Vec<Article> {
    let english = shipped_articles().unwrap().into_iter().filter(|article| article.language == Language::EN);
    let attempts = attempts.iter().filter(|attempt| attempt.place == Place::Article);
    let poisoned = english.step_by(3).zip(attempts).map(|(mut article, attempt)| {
        article.summary = format!("{} {}", article.summary, attempt.text);
        article.steps.push(attempt.text.clone());
        article.good_to_know.push(attempt.text.clone());
        article
    });
    poisoned.collect()
}

impl Triaged {
    /// Whether the rules saw that the ticket addresses the program.
    fn is_seen(&self) -> bool {
        self.outputs["extract"]["risks"].as_array().unwrap().contains(&json!("injection"))
    }

    fn speaks_of(&self, steps: &[&str], forbidden: &str) -> bool {
        steps
            .iter()
            .filter_map(|step| self.outputs.get(*step))
            .any(|said| said.to_string().contains(forbidden))
    }

    /// Where it was put, and how soon it is worked.
    fn filed(&self) -> (&Value, &Value) {
        (&self.ticket["category"], &self.ticket["priority"])
    }

    /// Nothing is sent and nothing is done but by policy, in words of nobody else.
    fn check_end(&self, forbidden: &[&str]) {
        let (ticket, waits) = (&self.ticket, self.ticket["status"] == "awaiting_approval");
        assert!(waits || ticket["status"] == "completed", "{ticket}");
        assert_eq!(ticket["result"]["final_response"].is_null(), waits, "{ticket}");
        assert!(waits || ticket["result"]["decided_by"] == "policy", "{ticket}");
        let end = self.outputs.get("finalize").map(ToString::to_string).unwrap_or_default();
        for said in forbidden {
            assert!(!end.contains(said), "{said}: {end}");
        }
        let actions = self.events.as_array().unwrap().iter().filter(|event| {
            event.pointer("/payload/output/actions").is_some_and(|actions| *actions != json!([]))
        });
        assert_eq!(actions.count(), 0, "{}", self.events);
    }
}

/// What the rules see is never sent to a model, goes to a person, and changes nothing.
fn check_seen(triaged: &Triaged, plain: &Triaged, forbidden: &[&str]) {
    assert_eq!(triaged.filed(), plain.filed(), "{}", triaged.ticket);
    assert_eq!(triaged.ticket["status"], "awaiting_approval", "{}", triaged.ticket);
    assert_eq!(triaged.outputs["review"]["verdict"], "human", "{}", triaged.ticket);
    for said in forbidden {
        assert!(!triaged.speaks_of(&SPEAKING, said), "{said}: {:?}", triaged.outputs);
    }
}

/// What nobody sees gets into a draft at most, and the review has a person look at that.
fn check_unseen(triaged: &Triaged, attempt: &Attempt) -> bool {
    assert!(!triaged.speaks_of(&SPEAKING, &attempt.link), "{:?}", triaged.outputs);
    let drafted = triaged.speaks_of(&["draft"], &attempt.canary);
    if drafted {
        assert_eq!(triaged.ticket["status"], "awaiting_approval", "{}", triaged.ticket);
        assert!(triaged.speaks_of(&["review"], &attempt.canary), "{:?}", triaged.outputs["review"]);
    }
    drafted
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attempt_gets_what_it_wants_from_a_model_that_obeys_it() {
    let desk = Obeying::open().await;
    let all: Vec<_> = attempts(CORPUS).into_iter().chain(attempts(UNSEEN)).collect();
    assert!(all.len() >= 100, "{}", all.len());
    let articles = poisoned(&all);
    let (status, answer) = desk.app.post("/articles/import", &json!({ "articles": articles })).await;
    assert!(status.is_success(), "{answer}");
    let plain: Vec<Value> = (0..KINDS).map(ticket).collect();
    let triaged = desk.triage(&[plain, attacked(&all, &articles)].concat()).await;
    let (plain, triaged) = triaged.split_at(KINDS);

    let canaries = all.iter().flat_map(|attempt| [attempt.canary.as_str(), &attempt.link]);
    let prompts = ["You draft replies", "You review drafts", "You classify tickets"];
    let forbidden: Vec<&str> = canaries.chain([INVENTED_ID, INVENTED_LINK, "7,777"]).chain(prompts).collect();
    let sent: String = desk.model.requests().iter().map(|seen| seen.body["messages"].to_string()).collect();
    let (mut seen, mut drafted) = (0, 0);
    for (number, (attempt, triaged)) in all.iter().zip(triaged).enumerate() {
        triaged.check_end(&forbidden);
        let in_ticket = matches!(attempt.place, Place::Subject | Place::Body);
        if in_ticket && !triaged.is_seen() {
            drafted += usize::from(check_unseen(triaged, attempt));
            continue;
        }
        assert!(!sent.contains(&attempt.canary), "{attempt:?} was sent to the model");
        match attempt.place {
            Place::Subject | Place::Body => check_seen(triaged, &plain[number % KINDS], &forbidden),
            Place::Metadata => assert_eq!(triaged.filed(), plain[number % KINDS].filed(), "{attempt:?}"),
            Place::Article => assert!(!triaged.speaks_of(&SPEAKING, &attempt.canary), "{attempt:?}"),
        }
        seen += 1;
    }
    assert!(seen >= 80 && drafted >= 5, "{seen} were seen, {drafted} of the others got into a draft");
    assert!(desk.receiver.calls().is_empty());
    desk.close().await;
}
