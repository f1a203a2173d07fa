//! The step that gathers what is known about a ticket's matter: articles, the customer's earlier tickets, tickets like
//! it that were solved. Articles and solved tickets are held in memory; without a transaction.

mod articles;
mod meanings;

pub use articles::ArticleSearch;

use crate::{classify::Classify, extract::Extract, failure, settings::Triage};
use ticketflow_engine::{RunId, Step, StepContext, StepError, StepOutcome, StoreError};
use ticketflow_tickets::{
    knowledge::{ArticleId, Found, Search},
    language::Language,
    ticket::{self, NewTicket},
    triage::{
        ArticleHit, Classification, EarlierTicket, Extraction, Fraction, Research as Evidence, TriageStep,
    },
};

/// Articles that a draft is given.
const ARTICLES: u16 = 5;
/// Earlier tickets of each kind that are shown.
const TICKETS: usize = 3;
/// What the article that usually answers such a matter is ahead by.
const USUAL: f64 = 0.2;

/// See the module.
#[derive(Debug)]
pub struct Research(pub Triage);

impl Step for Research {
    const NAME: &'static str = TriageStep::Research.as_str();
    type Input = (NewTicket, <Classify as Step>::Output, <Extract as Step>::Output);
    type Output = Evidence;

    async fn run(
        &self,
        context: &StepContext,
        (ticket, classified, extracted): Self::Input,
    ) -> Result<StepOutcome<Evidence>, StepError> {
        let matter = Matter {
            id: context.run_id(),
            ticket: &ticket,
            classification: &classified.result,
            extraction: &extracted.result,
        };
        let evidence = self.gather(matter).await.map_err(failure::database)?;
        Ok(StepOutcome::Next(evidence))
    }
}

/// What is looked for.
#[derive(Clone, Copy)]
struct Matter<'a> {
    id: RunId,
    ticket: &'a NewTicket,
    classification: &'a Classification,
    extraction: &'a Extraction,
}

impl Research {
    async fn gather(&self, matter: Matter<'_>) -> Result<Evidence, StoreError> {
        let subject = matter.ticket.subject.as_str();
        let text = format!("{subject}\n{}", matter.ticket.body);
        Ok(Evidence {
            articles: self.articles(matter, &text).await?,
            earlier_tickets: self.earlier(matter, &text).await?,
            similar_solved: self.0.solved.like(matter.id, subject, &text, TICKETS).await?,
        })
    }

    async fn earlier(&self, matter: Matter<'_>, text: &str) -> Result<Vec<EarlierTicket>, StoreError> {
        let connected = self.0.pool.acquire().await;
        let mut connection = connected.map_err(StoreError::database("connect to research"))?;
        let customer = matter.ticket.customer_id.as_str();
        ticket::earlier_of_customer(&mut connection, matter.id, customer, text, TICKETS).await
    }

    async fn articles(&self, matter: Matter<'_>, text: &str) -> Result<Vec<ArticleHit>, StoreError> {
        let language = matter.classification.language;
        let search =
            Search { text, language, category: Some(&matter.classification.category), limit: ARTICLES };
        let found = self.0.articles.find(search).await?;
        let mut hits: Vec<ArticleHit> = found.into_iter().map(hit).collect();
        self.prefer_usual(matter, language, &mut hits).await?;
        Ok(hits)
    }

    /// Puts the article ahead that usually answers such a matter, in the customer's language if there is one.
    async fn prefer_usual(
        &self,
        matter: Matter<'_>,
        language: Language,
        hits: &mut Vec<ArticleHit>,
    ) -> Result<(), StoreError> {
        let Some(usual) = self.0.offline.usual_article(matter.extraction.issue_type) else { return Ok(()) };
        let ids = [format!("{usual}-{language}"), usual.to_owned()].map(|id| ArticleId::parse(&id).ok());
        let ids: Vec<ArticleId> = ids.into_iter().flatten().collect();
        let Some(article) = self.0.library.get(&ids).await?.into_iter().next() else { return Ok(()) };
        let article = &article.article;
        let why = format!("usually answers {}", matter.extraction.issue_type);
        if let Some(hit) = hits.iter_mut().find(|hit| hit.article_id == article.id) {
            hit.score = Fraction::clamped(hit.score.get() + USUAL);
            hit.why = format!("{why}; {}", hit.why);
        } else {
            hits.truncate(usize::from(ARTICLES) - 1);
            hits.push(ArticleHit {
                article_id: article.id.clone(),
                title: article.title.clone(),
                snippet: article.summary.clone(),
                score: Fraction::clamped(2.0 * USUAL),
                why,
            });
        }
        hits.sort_by(|one, other| other.score.get().total_cmp(&one.score.get()));
        Ok(())
    }
}

fn hit(found: Found) -> ArticleHit {
    let article = &found.article.article;
    ArticleHit {
        article_id: article.id.clone(),
        title: article.title.clone(),
        snippet: found.snippet,
        score: found.score,
        why: found.why,
    }
}
