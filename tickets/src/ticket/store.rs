//! Reads of the table `tickets`.

use super::{
    filter::{Page, TicketFilter},
    row::{COLUMNS, TicketRow, load},
    view::Ticket,
};
use crate::projection;
use sqlx::{PgConnection, QueryBuilder};
use ticketflow_engine::{RunId, StoreError, store::event};

/// The ticket of that id.
///
/// # Errors
/// If the database is out of reach or the row is corrupt.
pub async fn get(connection: &mut PgConnection, id: RunId) -> Result<Option<Ticket>, StoreError> {
    let mut rows = load(connection, &[id]).await.map_err(StoreError::database("read a ticket"))?;
    add_results(connection, &mut rows).await?;
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
    add_results(connection, &mut rows).await?;
    let tickets = rows.into_iter().map(Ticket::try_from).collect::<Result<_, _>>()?;
    Ok(Page { tickets, next, total })
}

/// Folds what the steps found out of the tickets' logs, as far as the rows are.
async fn add_results(connection: &mut PgConnection, rows: &mut [TicketRow]) -> Result<(), StoreError> {
    let runs: Vec<RunId> = rows.iter().map(|row| row.id).collect();
    let logs = event::logs(connection, &runs).await?;
    for row in rows {
        let Some(log) = logs.get(&row.id) else { continue };
        // The log may have moved on since the row was read.
        let known = log.iter().take_while(|record| i64::from(record.seq.0) < row.version).count();
        row.result = projection::result_of(row.id, &log[..known]);
    }
    Ok(())
}

async fn count(connection: &mut PgConnection, filter: &TicketFilter) -> Result<i64, StoreError> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM tickets");
    filter.push_where(&mut query);
    let count = query.build_query_scalar().persistent(false).fetch_one(connection).await;
    count.map_err(StoreError::database("count tickets"))
}
