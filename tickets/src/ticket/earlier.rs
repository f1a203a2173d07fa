//! Tickets that came before: the same customer's, and how alike two tickets read.

use crate::{
    taxonomy::Category,
    triage::{EarlierTicket, Fraction},
};
use sqlx::PgConnection;
use std::collections::HashSet;
use ticketflow_engine::{RunId, StoreError};

/// Words of a ticket that others are compared with: what it is about stands at its start.
pub(super) const COMPARED: usize = 24;
/// Fewest letters of a word that says something.
const LETTERS: usize = 4;
/// Share of each one's words that must occur in the other for two tickets to say the same.
const SAME: f64 = 0.85;
/// Fewest words of which that can be told.
const TELLING: usize = 4;

/// The customer's tickets before `id`, newest first.
///
/// # Errors
/// If the database is out of reach or a row is corrupt.
pub async fn earlier_of_customer(
    connection: &mut PgConnection,
    id: RunId,
    customer: &str,
    text: &str,
    limit: usize,
) -> Result<Vec<EarlierTicket>, StoreError> {
    let rows = sqlx::query_as!(
        Earlier,
        r#"SELECT id AS "id: RunId", subject, body, category, status,
                  resolved_at IS NULL AND status <> 'cancelled' AS "open!"
           FROM tickets WHERE customer_id = $1 AND id < $2 ORDER BY created_at DESC, id DESC LIMIT $3"#,
        customer,
        id.as_uuid(),
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::database("read a customer's earlier tickets"))?;
    let text = Compared { words: significant_words(text, COMPARED), all: significant(text).collect() };
    rows.into_iter().map(|row| text.with(row)).collect()
}

/// The words of the ticket at hand.
struct Compared {
    /// The first ones.
    words: Vec<String>,
    all: HashSet<String>,
}

impl Compared {
    fn with(&self, row: Earlier) -> Result<EarlierTicket, StoreError> {
        let likeness = likeness(&self.words, &row.words());
        let theirs = significant_words(&format!("{}\n{}", row.subject, row.body), COMPARED);
        let back = self::likeness(&theirs, &self.all);
        let duplicate = row.open && self.words.len() >= TELLING && likeness.min(back) >= SAME;
        Ok(EarlierTicket { duplicate, ..row.with(likeness)? })
    }
}

/// A ticket's row, as far as it is compared.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    pub(super) id: RunId,
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) category: Option<String>,
    pub(super) status: String,
    /// Nobody has resolved or cancelled it.
    pub(super) open: bool,
}

impl Earlier {
    /// What it says, as words.
    pub(super) fn words(&self) -> HashSet<String> {
        significant(&self.subject).chain(significant(&self.body)).collect()
    }

    pub(super) fn with(self, likeness: f64) -> Result<EarlierTicket, StoreError> {
        let category = self.category.map(|name| Category::parse(&name)).transpose();
        let category = category.map_err(|error| StoreError::Corrupt {
            table: "tickets",
            column: "category",
            row: self.id.to_string(),
            problem: error.to_string(),
        })?;
        Ok(EarlierTicket {
            ticket_id: self.id.to_string(),
            subject: self.subject,
            category,
            status: self.status,
            similarity: Fraction::clamped(likeness),
            duplicate: false,
        })
    }
}

/// The share of `words` that occur among `theirs`.
pub(super) fn likeness(words: &[String], theirs: &HashSet<String>) -> f64 {
    let shared = words.iter().filter(|word| theirs.contains(*word)).count();
    #[expect(clippy::cast_precision_loss, reason = "a few words")]
    let share = shared as f64 / words.len().max(1) as f64;
    share
}

/// The first words of four letters and more, each once.
pub(super) fn significant_words(text: &str, limit: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in significant(text) {
        if words.len() == limit {
            break;
        }
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

fn significant(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.chars().count() >= LETTERS).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_each_once() {
        let words = significant_words("Refund!! & (order' | 'ABC-12345:* refund) \\ überfällig", 24);
        assert_eq!(words, ["refund", "order", "12345", "überfällig"]);
        assert_eq!(significant_words("one three seven eleven", 2), ["three", "seven"]);
        assert!(significant_words("a & b", 24).is_empty());
    }

    #[test]
    fn likeness_is_the_share_of_words_that_occur() {
        let words = significant_words("refund order overdue again", 24);
        let theirs = significant("The refund of my order").collect();
        assert!((likeness(&words, &theirs) - 0.5).abs() < f64::EPSILON);
        assert!(likeness(&[], &theirs).abs() < f64::EPSILON);
    }

    #[test]
    fn an_open_ticket_that_says_nearly_the_same_is_a_duplicate() {
        let text = "Where is my parcel? Order 48213 should have arrived last Monday.";
        let compared =
            Compared { words: significant_words(text, COMPARED), all: significant(text).collect() };
        let duplicate = |subject: &str, body: &str, open: bool| {
            let row = Earlier {
                id: RunId::from_uuid(uuid::Uuid::nil()),
                subject: subject.to_owned(),
                body: body.to_owned(),
                category: None,
                status: "completed".to_owned(),
                open,
            };
            compared.with(row).unwrap().duplicate
        };
        let again = "Order 48213 should have arrived last Monday!";
        assert!(duplicate("Where is my parcel?", again, true));
        assert!(!duplicate("Where is my parcel?", again, false), "it is resolved");
        assert!(!duplicate("Where is my parcel?", "Order 51377 was paid twice, and nobody answers.", true));
        let longer =
            format!("{again} And please change the address of all other orders to the new warehouse.");
        assert!(!duplicate("Where is my parcel?", &longer, true), "it asks for more");
    }
}
