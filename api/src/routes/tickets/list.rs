//! The list of tickets: filtered, sorted, page by page.

use crate::{extract::Params, problem::Problem, routes::next_link, state::ApiState};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{HeaderMap, Uri},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use ticketflow_tickets::{
    taxonomy::{Category, Priority},
    ticket::{self, Channel, Cursor, Page, Paging, Sort, Ticket, TicketFilter, TicketStatus},
};

/// Most tickets on a page.
const MAX_PAGE: u16 = 200;

/// A page on the wire.
#[derive(Debug, Serialize)]
pub(crate) struct TicketPage {
    tickets: Vec<Ticket>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    page_size: u16,
}

/// `GET /tickets`
pub(crate) async fn list(
    State(state): State<ApiState>,
    OriginalUri(uri): OriginalUri,
    params: Params,
) -> Result<(HeaderMap, Json<TicketPage>), Problem> {
    let filter = filter(params)?;
    let mut connection = state.connection().await?;
    let page = ticket::list(&mut connection, &filter).await?;
    let link = next(&uri, &filter, &page).unwrap_or_default();
    let number = match filter.paging {
        Paging::Number(number) => Some(number),
        Paging::After(_) => None,
    };
    let tickets = TicketPage {
        tickets: page.tickets,
        next_cursor: page.next.map(|cursor| cursor.to_string()),
        total: page.total,
        page: number,
        page_size: filter.page_size,
    };
    Ok((link, Json(tickets)))
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> String {
    let words: Vec<_> = all.iter().map(|&value| word(value)).collect();
    format!("one of {}", words.join(", "))
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

fn truth(text: &str) -> Option<bool> {
    text.parse().ok()
}

const TIME: &str = "a time such as 2026-11-21T09:30:00Z";
const TRUTH: &str = "true or false";
const SORTS: &str = "one of created_at, updated_at, priority, with - before it for the reverse";

/// What the query asks for.
fn filter(mut params: Params) -> Result<TicketFilter, Problem> {
    let statuses = words(TicketStatus::ALL, TicketStatus::as_str);
    let priorities = words(Priority::ALL, Priority::as_str);
    let channels = words(Channel::ALL, Channel::as_str);
    let filter = TicketFilter {
        status: params.parsed("status", &statuses, TicketStatus::parse)?,
        category: params.parsed("category", "the name of a category", |name| Category::parse(name).ok())?,
        priority: params.parsed("priority", &priorities, Priority::parse)?,
        customer_id: params.text("customer_id"),
        assignee: params.text("assignee"),
        tag: params.text("tag"),
        channel: params.parsed("channel", &channels, Channel::parse)?,
        q: params.text("q"),
        created_after: params.parsed("created_after", TIME, time)?,
        created_before: params.parsed("created_before", TIME, time)?,
        needs_review: params.parsed("needs_review", TRUTH, truth)?,
        sort: params.parsed("sort", SORTS, Sort::parse)?.unwrap_or_default(),
        ..TicketFilter::default()
    };
    paged(filter, params)
}

fn paged(filter: TicketFilter, mut params: Params) -> Result<TicketFilter, Problem> {
    let cursor = params.text("cursor").map(|text| Cursor::parse(&text, filter.sort)).transpose();
    let cursor =
        cursor.map_err(|error| Problem::invalid_parameter("cursor", "invalid_value", error.to_string()))?;
    let number = params.number("page", 1, 1_000_000)?;
    let page_size = params.number("page_size", 1, MAX_PAGE)?;
    let limit = params.number("limit", 1, MAX_PAGE)?;
    let total = params.parsed("total", TRUTH, truth)?;
    params.finish()?;
    let paging = match (cursor, number) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_parameter(
                "page",
                "conflicting",
                "cannot go with a cursor: use one of them",
            ));
        }
        (cursor, None) => Paging::After(cursor),
        (None, Some(number)) => Paging::Number(number),
    };
    let page_size = page_size.or(limit).unwrap_or(filter.page_size);
    // Who pages by number wants to know how many pages there are.
    Ok(TicketFilter { paging, page_size, with_total: total.unwrap_or(number.is_some()), ..filter })
}

/// The link to the next page: the same query, further on.
fn next(uri: &Uri, filter: &TicketFilter, page: &Page) -> Option<HeaderMap> {
    let cursor = page.next?;
    let (name, value) = match filter.paging {
        Paging::After(_) => ("cursor", cursor.to_string()),
        Paging::Number(number) => ("page", (number + 1).to_string()),
    };
    let kept = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept.filter(|(key, _)| key != name)).append_pair(name, &value);
    Some(next_link(uri.path(), &query.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;

    fn read(query: &str) -> Result<TicketFilter, Problem> {
        filter(Params::parse(query)?)
    }

    #[test]
    fn every_filter_is_read() {
        let query = "status=completed&category=billing&priority=high&customer_id=c&assignee=a&tag=t&channel=web\
            &q=two+words&created_after=2026-01-01T00:00:00Z&created_before=2026-01-01T01:00:00%2B01:00\
            &needs_review=true&sort=-priority&page_size=7&total=true";
        let filter = read(query).unwrap();
        assert_eq!(filter.status, Some(TicketStatus::Completed));
        assert_eq!(filter.q.as_deref(), Some("two words"));
        assert_eq!(filter.created_after, filter.created_before);
        assert_eq!(
            (filter.page_size, filter.with_total, filter.sort.to_string()),
            (7, true, "-priority".into())
        );
        assert_eq!(read("").unwrap(), TicketFilter::default());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let bad = [
            "status=done",
            "priority=1",
            "created_after=yesterday",
            "needs_review=1",
            "sort=subject",
            "page=0",
            "page_size=201",
            "cursor=x",
            "customer=c",
        ];
        for query in bad {
            assert_eq!(read(query).unwrap_err().code(), Code::InvalidParameter, "{query}");
        }
    }

    #[test]
    fn pages_by_number_are_counted() {
        let filter = read("page=3").unwrap();
        assert_eq!((filter.paging, filter.with_total), (Paging::Number(3), true));
    }
}
