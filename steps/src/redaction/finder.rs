//! Owns the search for everything that must not leave.

use super::{
    kind::{Kind, PLACEHOLDER},
    numbers::Numbers,
    secrets::Secrets,
};
use crate::provider::offline::{Contacts, OfflineError};
use regex::Regex;
use std::ops::Range;

/// A stretch of a text, and what it is.
pub(super) type Place = (Range<usize>, Kind);

/// Every pattern.
#[derive(Debug)]
pub(super) struct Finder {
    contacts: Contacts,
    numbers: Numbers,
    secrets: Secrets,
    pub(super) placeholder: Regex,
}

impl Finder {
    pub(super) fn load() -> Result<Self, OfflineError> {
        Ok(Self {
            contacts: Contacts::load()?,
            numbers: Numbers::load()?,
            secrets: Secrets::load()?,
            placeholder: Regex::new(PLACEHOLDER)?,
        })
    }

    /// What stands in `text` and must not leave, in its order, nothing in two places.
    pub(super) fn places(&self, text: &str) -> Vec<Place> {
        let mut places = self.proven(text);
        let of = |kind: Kind| move |range: Range<usize>| (range, kind);
        places.extend(self.secrets.places(text).into_iter().map(of(Kind::Secret)));
        places.extend(self.contacts.phone_places(text).into_iter().map(of(Kind::Phone)));
        places.extend(self.placeholder.find_iter(text).map(|found| (found.range(), Kind::Text)));
        joined(places)
    }

    /// What is beyond doubt, wherever it stands: whether any is left can be checked.
    pub(super) fn proven(&self, text: &str) -> Vec<Place> {
        let of = |kind: Kind| move |range: Range<usize>| (range, kind);
        let mut places: Vec<Place> = self.contacts.email_places(text).map(of(Kind::Email)).collect();
        places.extend(self.numbers.cards(text).into_iter().map(of(Kind::Card)));
        places.extend(self.numbers.ibans(text).into_iter().map(of(Kind::Iban)));
        joined(places)
    }
}

/// Places that overlap become one, so that no end of one is left: of the kind that comes first.
pub(super) fn joined(mut places: Vec<Place>) -> Vec<Place> {
    places.sort_by_key(|(range, kind)| (range.start, *kind));
    let mut joined: Vec<Place> = Vec::with_capacity(places.len());
    for (range, kind) in places {
        match joined.last_mut() {
            Some((last, of)) if range.start < last.end => {
                last.end = last.end.max(range.end);
                *of = kind.min(*of);
            }
            Some(_) | None => joined.push((range, kind)),
        }
    }
    joined
}
