//! Whether the database is one PostgreSQL, or a Citus cluster over whose nodes the buckets are spread.
//!
//! On one PostgreSQL a transaction takes runs of whatever buckets come together; on Citus each keeps to one bucket,
//! because what a statement locks and writes must lie on one node. Everything else is the same.

use crate::{catalog::Catalog, error::DefinitionError, id::Bucket};
use serde::Deserialize;

/// Transactions that a committing task has open at once where a batch takes more than one.
pub const PARTS_AT_ONCE: usize = 4;

/// How the database is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// One PostgreSQL.
    #[default]
    Single,
    /// Tables distributed by bucket.
    Citus,
}

impl Topology {
    /// Divides what is to be written into what one transaction may write, each part in the order it came in.
    pub fn parts<T>(self, mut items: Vec<T>, bucket: impl Fn(&T) -> Bucket) -> Vec<Vec<T>> {
        match self {
            Self::Single => vec![items],
            Self::Citus => {
                let mut parts: Vec<(Bucket, Vec<T>)> = Vec::new();
                items.sort_by_key(&bucket);
                for item in items {
                    let own = bucket(&item);
                    match parts.last_mut() {
                        Some((of, part)) if *of == own => part.push(item),
                        Some(_) | None => parts.push((own, vec![item])),
                    }
                }
                parts.into_iter().map(|(_, part)| part).collect()
            }
        }
    }

    /// Refuses workflows that it cannot run. A claim on Citus cannot count against a limit: the counter and the run
    /// would have to change in one statement, and lie on different nodes.
    ///
    /// # Errors
    /// If a definition limits its runs per key.
    pub fn check(self, catalog: &Catalog) -> Result<(), DefinitionError> {
        match (self, catalog.keyed().into_iter().next()) {
            (Self::Citus, Some(definition)) => Err(DefinitionError::LimitOnCitus { definition }),
            (Self::Citus, None) | (Self::Single, _) => Ok(()),
        }
    }
}

/// The bucket that all of these are of, if it is one.
pub fn only_bucket(buckets: &[i16]) -> Option<i16> {
    let first = *buckets.first()?;
    buckets.iter().all(|bucket| *bucket == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_citus_a_part_has_one_bucket_and_keeps_its_order() {
        let items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')];
        let bucket = |item: &(u8, char)| Bucket(item.0);
        assert_eq!(Topology::Single.parts(items.clone(), bucket).len(), 1);
        let parts = Topology::Citus.parts(items, bucket);
        assert_eq!(parts, [vec![(1, 'b'), (1, 'd')], vec![(2, 'a'), (2, 'c')]]);
    }

    #[test]
    fn only_one_bucket_is_the_only_one() {
        assert_eq!(only_bucket(&[3, 3]), Some(3));
        assert_eq!(only_bucket(&[3, 4]), None);
        assert_eq!(only_bucket(&[]), None);
    }
}
