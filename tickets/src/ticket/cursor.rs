//! Owns [`Cursor`]: the place in a sorted list after which the next page starts.
//!
//! To clients it is an opaque text; it says which sort it belongs to, so that it cannot be used with another.

use super::filter::{Direction, Sort, SortKey};
use std::ops::RangeInclusive;
use ticketflow_engine::RunId;
use uuid::Uuid;

/// Microseconds since 1970 from the year 1 to the year 9999.
const MOMENTS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// A place in a sorted list: the sort key, time of submission and id of the last item before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) sort: Sort,
    /// Microseconds since 1970, or a priority's rank.
    pub(super) key: i64,
    /// Microseconds since 1970: second key of a list sorted by priority.
    pub(super) created: i64,
    pub(super) id: RunId,
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not a cursor at all.
    #[error("this is not a cursor of this list: pass next_cursor back unchanged, or leave it out")]
    Malformed,
    /// A cursor of a list in another order.
    #[error("this cursor belongs to a list sorted by {0}: keep the sort while paging")]
    OtherSort(Sort),
}

impl Cursor {
    /// Reads a cursor of a list sorted by `sort`.
    ///
    /// # Errors
    /// If the text is no such cursor.
    pub fn parse(text: &str, sort: Sort) -> Result<Self, CursorError> {
        let bytes: [u8; 33] =
            hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(CursorError::Malformed)?;
        let found = sort_of(bytes[0]).ok_or(CursorError::Malformed)?;
        if found != sort {
            return Err(CursorError::OtherSort(found));
        }
        let (mut key, mut created, mut id) = ([0; 8], [0; 8], [0; 16]);
        key.copy_from_slice(&bytes[1..9]);
        created.copy_from_slice(&bytes[9..17]);
        id.copy_from_slice(&bytes[17..]);
        let (key, created) = (i64::from_be_bytes(key), i64::from_be_bytes(created));
        // A made-up number past what the columns hold must not reach the database.
        let keys = match sort.key {
            SortKey::CreatedAt | SortKey::UpdatedAt => MOMENTS,
            SortKey::Priority => 0..=i64::from(i16::MAX),
        };
        if !keys.contains(&key) || !MOMENTS.contains(&created) {
            return Err(CursorError::Malformed);
        }
        Ok(Self { sort, key, created, id: RunId::from_uuid(Uuid::from_bytes(id)) })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sort = hex::encode([tag(self.sort)]);
        let [key, created] = [self.key, self.created].map(|number| hex::encode(number.to_be_bytes()));
        write!(f, "{sort}{key}{created}{}", self.id.as_uuid().simple())
    }
}

const fn tag(sort: Sort) -> u8 {
    let key = match sort.key {
        SortKey::CreatedAt => 0,
        SortKey::UpdatedAt => 1,
        SortKey::Priority => 2,
    };
    let direction = match sort.direction {
        Direction::Ascending => 0,
        Direction::Descending => 1,
    };
    2 * key + direction
}

fn sort_of(byte: u8) -> Option<Sort> {
    let sorts = SortKey::ALL.iter().flat_map(|&key| {
        [Direction::Ascending, Direction::Descending].map(|direction| Sort { key, direction })
    });
    sorts.into_iter().find(|&sort| tag(sort) == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(sort: Sort) -> Cursor {
        Cursor { sort, key: -5, created: 6, id: RunId::from_uuid(Uuid::from_u128(7)) }
    }

    #[test]
    fn a_cursor_reads_back_in_its_own_list_only() {
        let newest = Sort::default();
        let oldest = Sort { direction: Direction::Ascending, ..newest };
        let text = cursor(newest).to_string();
        assert_eq!(Cursor::parse(&text, newest), Ok(cursor(newest)));
        assert_eq!(Cursor::parse(&text, oldest), Err(CursorError::OtherSort(newest)));
    }

    #[test]
    fn a_number_past_what_the_columns_hold_is_malformed() {
        let newest = Sort::default();
        let urgent = Sort { key: SortKey::Priority, ..newest };
        for far in [
            Cursor { key: i64::MAX, ..cursor(newest) },
            Cursor { created: i64::MIN, ..cursor(newest) },
            Cursor { key: 1 << 40, ..cursor(urgent) },
        ] {
            assert_eq!(Cursor::parse(&far.to_string(), far.sort), Err(CursorError::Malformed), "{far:?}");
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in ["", "zz", "00", &"f".repeat(66), &"é".repeat(33), &"0".repeat(68)] {
            assert_eq!(Cursor::parse(text, Sort::default()), Err(CursorError::Malformed), "{text}");
        }
    }
}
