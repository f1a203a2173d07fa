//! Owns what a list of tickets can be asked for, and its way into SQL.

use super::{cursor::Cursor, new::Channel, row::TicketRow, status::TicketStatus, view::Ticket};
use crate::{
    taxonomy::{Category, Priority},
    word::closed_words,
};
use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use std::fmt;

closed_words! {
    /// What a list is sorted by.
    #[derive(Default)]
    SortKey {
        /// Time of submission.
        #[default]
        CreatedAt => "created_at",
        /// Time of the last change.
        UpdatedAt => "updated_at",
        /// How soon somebody must look at it; not yet classified counts lowest.
        Priority => "priority",
    }
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Lowest or oldest first.
    Ascending,
    /// Highest or newest first.
    #[default]
    Descending,
}

/// The order of a list; newest first by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// From which end.
    pub direction: Direction,
}

impl Sort {
    /// Reads `created_at` (lowest first) or `-created_at` (highest first).
    pub fn parse(text: &str) -> Option<Self> {
        let (word, direction) = match text.strip_prefix('-') {
            Some(word) => (word, Direction::Descending),
            None => (text, Direction::Ascending),
        };
        SortKey::parse(word).map(|key| Self { key, direction })
    }

    /// The cursor of the place after `row`.
    pub(super) fn after(self, row: &TicketRow) -> Cursor {
        let key = match self.key {
            SortKey::CreatedAt => row.created_at.timestamp_micros(),
            SortKey::UpdatedAt => row.updated_at.timestamp_micros(),
            SortKey::Priority => row.priority.as_deref().and_then(Priority::parse).map_or(0, rank),
        };
        Cursor { sort: self, key, created: row.created_at.timestamp_micros(), id: row.id }
    }

    /// The columns it sorts by; the id decides between equals.
    const fn columns(self) -> &'static [&'static str] {
        match self.key {
            SortKey::CreatedAt => &["created_at", "id"],
            SortKey::UpdatedAt => &["updated_at", "id"],
            SortKey::Priority => &["priority_rank", "created_at", "id"],
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Ascending => write!(f, "{}", self.key),
            Direction::Descending => write!(f, "-{}", self.key),
        }
    }
}

/// The number that `priority_rank` has for a priority.
const fn rank(priority: Priority) -> i64 {
    match priority {
        Priority::Low => 1,
        Priority::Medium => 2,
        Priority::High => 3,
        Priority::Urgent => 4,
    }
}

/// Which part of the list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// What follows a cursor, or the start: costs the same on every page.
    After(Option<Cursor>),
    /// The page of that number, from 1: costs more the further back it is.
    Number(u32),
}

/// Which tickets are wanted, in which order. What is none does not matter.
#[derive(Debug, Clone, PartialEq)]
pub struct TicketFilter {
    /// Where they stand.
    pub status: Option<TicketStatus>,
    /// What they are about.
    pub category: Option<Category>,
    /// How pressing they are.
    pub priority: Option<Priority>,
    /// Who wrote them.
    pub customer_id: Option<String>,
    /// Who works them.
    pub assignee: Option<String>,
    /// A tag they bear.
    pub tag: Option<String>,
    /// How they came in.
    pub channel: Option<Channel>,
    /// Words of subject and body, as one would type them into a web search.
    pub q: Option<String>,
    /// Submitted at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Submitted before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Whether a person should check the category.
    pub needs_review: Option<bool>,
    /// The order.
    pub sort: Sort,
    /// The part.
    pub paging: Paging,
    /// Most tickets on a page.
    pub page_size: u16,
    /// Whether to count all that match.
    pub with_total: bool,
}

impl Default for TicketFilter {
    fn default() -> Self {
        Self {
            status: None,
            category: None,
            priority: None,
            customer_id: None,
            assignee: None,
            tag: None,
            channel: None,
            q: None,
            created_after: None,
            created_before: None,
            needs_review: None,
            sort: Sort::default(),
            paging: Paging::After(None),
            page_size: 50,
            with_total: false,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The tickets.
    pub tickets: Vec<Ticket>,
    /// Where the next page starts; none: this is the last.
    pub next: Option<Cursor>,
    /// How many match in all, if that was asked for.
    pub total: Option<i64>,
}

impl TicketFilter {
    /// Appends ` WHERE …`. Only what is asked for appears, so that each list finds its index.
    pub(super) fn push_where(&self, query: &mut QueryBuilder<Postgres>) {
        query.push(" WHERE true");
        if let Some(status) = self.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(category) = &self.category {
            query.push(" AND category = ").push_bind(category.as_str().to_owned());
        }
        if let Some(priority) = self.priority {
            query.push(" AND priority_rank = ").push_bind(rank(priority)).push("::smallint");
        }
        if let Some(customer) = &self.customer_id {
            query.push(" AND customer_id = ").push_bind(customer.clone());
        }
        if let Some(assignee) = &self.assignee {
            query.push(" AND assignee = ").push_bind(assignee.clone());
        }
        if let Some(tag) = &self.tag {
            query.push(" AND tags <> '{}' AND tags @> ARRAY[").push_bind(tag.clone()).push("::text]");
        }
        if let Some(channel) = self.channel {
            query.push(" AND channel = ").push_bind(channel.as_str());
        }
        self.push_rest(query);
    }

    fn push_rest(&self, query: &mut QueryBuilder<Postgres>) {
        if let Some(words) = &self.q {
            query.push(
                " AND (bucket, id) IN (SELECT bucket, id FROM ticket_words \
                 WHERE words @@ websearch_to_tsquery('simple', ",
            );
            query.push_bind(crate::clean::text(words).into_owned()).push("))");
        }
        if let Some(from) = self.created_after {
            query.push(" AND created_at >= ").push_bind(from);
        }
        if let Some(until) = self.created_before {
            query.push(" AND created_at < ").push_bind(until);
        }
        match self.needs_review {
            Some(true) => drop(query.push(" AND needs_review")),
            Some(false) => drop(query.push(" AND NOT needs_review")),
            None => {}
        }
    }

    /// Appends the condition of the cursor, the order and the limit: one row more than the page has tells whether
    /// there is another page.
    pub(super) fn push_page(&self, query: &mut QueryBuilder<Postgres>) {
        let columns = self.sort.columns();
        let (before, order) = match self.sort.direction {
            Direction::Ascending => (">", "ASC"),
            Direction::Descending => ("<", "DESC"),
        };
        if let Paging::After(Some(cursor)) = self.paging {
            query.push(format_args!(" AND ({}) {before} (", columns.join(", ")));
            match self.sort.key {
                SortKey::CreatedAt | SortKey::UpdatedAt => {
                    query.push_bind(DateTime::from_timestamp_micros(cursor.key));
                }
                SortKey::Priority => {
                    query.push_bind(cursor.key).push("::smallint, ");
                    query.push_bind(DateTime::from_timestamp_micros(cursor.created));
                }
            }
            query.push(", ").push_bind(cursor.id.as_uuid()).push(")");
        }
        let ordered: Vec<String> = columns.iter().map(|column| format!("{column} {order}")).collect();
        query.push(format_args!(" ORDER BY {} LIMIT ", ordered.join(", ")));
        query.push_bind(i64::from(self.page_size) + 1);
        if let Paging::Number(number) = self.paging {
            let skipped = i64::from(number.saturating_sub(1)) * i64::from(self.page_size);
            query.push(" OFFSET ").push_bind(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_engine::RunId;

    fn sql(filter: &TicketFilter) -> String {
        let mut query = QueryBuilder::new("");
        filter.push_where(&mut query);
        filter.push_page(&mut query);
        query.sql().as_str().to_owned()
    }

    #[test]
    fn only_what_is_asked_for_appears() {
        assert_eq!(sql(&TicketFilter::default()), " WHERE true ORDER BY created_at DESC, id DESC LIMIT $1");
        let filter =
            TicketFilter { q: Some("x' OR 1=1".into()), needs_review: Some(true), ..TicketFilter::default() };
        let expected = " WHERE true AND (bucket, id) IN (SELECT bucket, id FROM ticket_words \
            WHERE words @@ websearch_to_tsquery('simple', $1)) AND needs_review \
            ORDER BY created_at DESC, id DESC LIMIT $2";
        assert_eq!(sql(&filter), expected);
    }

    #[test]
    fn a_cursor_goes_on_in_the_lists_direction() {
        let sort = Sort::parse("priority").unwrap();
        let cursor = Cursor { sort, key: 3, created: 0, id: RunId::from_uuid(uuid::Uuid::nil()) };
        let filter = TicketFilter { sort, paging: Paging::After(Some(cursor)), ..TicketFilter::default() };
        let expected = " WHERE true AND (priority_rank, created_at, id) > ($1::smallint, $2, $3) \
            ORDER BY priority_rank ASC, created_at ASC, id ASC LIMIT $4";
        assert_eq!(sql(&filter), expected);
        let page = TicketFilter { paging: Paging::Number(3), ..TicketFilter::default() };
        assert!(sql(&page).ends_with("LIMIT $1 OFFSET $2"));
    }

    #[test]
    fn sorts_read_back() {
        for text in ["created_at", "-updated_at", "-priority"] {
            assert_eq!(Sort::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Sort::parse("subject"), None);
    }
}
