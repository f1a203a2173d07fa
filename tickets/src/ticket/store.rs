//! Reads of the table `tickets`.

use super::{
    filter::{Page, TicketFilter},
    row::{COLUMNS, TicketRow, load},
    view::Ticket,
};
use crate::{
    taxonomy::Category,
    triage::{EarlierTicket, Fraction},
};
use sqlx::{PgConnection, QueryBuilder};
use ticketflow_engine::{RunId, StoreError};

/// Most tickets that are compared with one.
const RANKED: i64 = 20;

/// The ticket of that id.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn get(connection: &mut PgConnection, id: RunId) -> Result<Option<Ticket>, StoreError> {
    let rows = load(connection, &[id]).await.map_err(StoreError::database("read a ticket"))?;
    rows.into_iter().next().map(Ticket::try_from).transpose()
}

/// One page of the tickets that `filter` lets through.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn list(connection: &mut PgConnection, filter: &TicketFilter) -> Result<Page, StoreError> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM tickets"));
    filter.push_where(&mut query);
    filter.push_page(&mut query);
    // Not kept as a prepared statement: the best plan depends on the values, rare or frequent.
    let mut rows: Vec<TicketRow> = query
        .build_query_as()
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::database("list tickets"))?;
    let is_last = rows.len() <= usize::from(filter.page_size);
    rows.truncate(filter.page_size.into());
    let next = rows.last().filter(|_| !is_last).map(|row| filter.sort.after(row));
    let total = if filter.with_total { Some(count(connection, filter).await?) } else { None };
    let tickets = rows.into_iter().map(Ticket::try_from).collect::<Result<_, _>>()?;
    Ok(Page { tickets, next, total })
}

async fn count(connection: &mut PgConnection, filter: &TicketFilter) -> Result<i64, StoreError> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM tickets");
    filter.push_where(&mut query);
    let count = query.build_query_scalar().persistent(false).fetch_one(connection).await;
    count.map_err(StoreError::database("count tickets"))
}

/// The customer's tickets before `id`, newest first.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn earlier_of_customer(
    connection: &mut PgConnection,
    id: RunId,
    customer: &str,
    text: &str,
    limit: i64,
) -> Result<Vec<EarlierTicket>, StoreError> {
    let rows = sqlx::query_as!(
        Earlier,
        r#"SELECT t.id AS "id: RunId", t.subject, t.category, t.status,
                  coalesce(ts_rank_cd(to_tsvector('simple', t.subject || ' ' || t.body), alike.query, 33), 0)::float8
                      AS "likeness!"
           FROM (
               SELECT id, subject, body, category, status, created_at FROM tickets
               WHERE customer_id = $1 AND id < $2 ORDER BY created_at DESC, id DESC LIMIT $3
           ) AS t, to_tsquery('simple', nullif($4, '')) AS alike (query)
           ORDER BY t.created_at DESC, t.id DESC"#,
        customer,
        id.as_uuid(),
        limit,
        any_of(&significant_words(text, 24)),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read a customer's earlier tickets"))?;
    rows.into_iter().map(EarlierTicket::try_from).collect()
}

/// Solved tickets, of anyone, that have the longest words of `subject` in common with it, best first.
///
/// All the words must occur, and of the tickets where they do only `RANKED` are ranked: a search for any of them, or
/// a ranking of all, would read half the table once the table is large.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn similar_solved(
    connection: &mut PgConnection,
    id: RunId,
    subject: &str,
    limit: i64,
) -> Result<Vec<EarlierTicket>, StoreError> {
    let mut words = significant_words(subject, usize::MAX);
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    words.truncate(3);
    if words.len() < 2 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as!(
        Earlier,
        r#"SELECT t.id AS "id: RunId", t.subject, t.category, t.status,
                  ts_rank_cd(to_tsvector('simple', t.subject || ' ' || t.body), alike.query, 33)::float8 AS "likeness!"
           FROM to_tsquery('simple', $1) AS alike (query), LATERAL (
               SELECT id, subject, body, category, status FROM tickets
               WHERE to_tsvector('simple', subject || ' ' || body) @@ alike.query
                   AND (status = 'completed' OR resolved_at IS NOT NULL) AND id <> $2
               LIMIT $4
           ) AS t
           ORDER BY 5 DESC, t.id DESC LIMIT $3"#,
        words.join(" & "),
        id.as_uuid(),
        limit,
        RANKED,
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("look for similar tickets"))?;
    rows.into_iter().map(EarlierTicket::try_from).collect()
}

struct Earlier {
    id: RunId,
    subject: String,
    category: Option<String>,
    status: String,
    likeness: f64,
}

impl TryFrom<Earlier> for EarlierTicket {
    type Error = StoreError;

    fn try_from(row: Earlier) -> Result<Self, StoreError> {
        let category = row.category.map(|name| Category::parse(&name)).transpose();
        let category = category.map_err(|error| StoreError::Corrupt {
            table: "tickets",
            column: "category",
            row: row.id.to_string(),
            problem: error.to_string(),
        })?;
        Ok(Self {
            ticket_id: row.id.to_string(),
            subject: row.subject,
            category,
            status: row.status,
            similarity: Fraction::clamped(row.likeness),
        })
    }
}

/// Words of four letters and more, each once, letters and digits alone: nothing in them means anything to `tsquery`.
fn significant_words(text: &str, limit: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= 4) {
        let word = word.to_lowercase();
        if words.len() < limit && word.len() <= 100 && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

fn any_of(words: &[String]) -> String {
    words.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_carry_nothing_that_tsquery_reads() {
        let words = significant_words("Refund!! & (order' | 'ABC-12345:* refund) \\ überfällig", 24);
        assert_eq!(words, ["refund", "order", "12345", "überfällig"]);
        assert_eq!(any_of(&words[..2]), "refund | order");
        assert_eq!(any_of(&significant_words("a & b", 24)), "");
    }
}
