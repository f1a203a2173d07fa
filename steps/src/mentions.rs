//! Owns where in a ticket what was found stands, whoever found it: rules or a model.

use crate::provider::offline::Message;
use ticketflow_tickets::triage::{EntityKind, Extraction, Mention, Part};

/// Where `message` first names each thing that `found` holds, in the order of the ticket.
pub(crate) fn mentions(message: Message<'_>, found: &Extraction) -> Vec<Mention> {
    let mut mentions: Vec<Mention> =
        named(found).filter_map(|(kind, text)| first(message, kind, text)).collect();
    mentions.sort_unstable();
    mentions.dedup();
    mentions
}

fn named(found: &Extraction) -> impl Iterator<Item = (EntityKind, &str)> {
    let lists = [
        (EntityKind::Order, &found.order_ids),
        (EntityKind::Invoice, &found.invoice_ids),
        (EntityKind::Email, &found.emails),
        (EntityKind::Phone, &found.phones),
        (EntityKind::ErrorCode, &found.error_codes),
        (EntityKind::Version, &found.versions),
        (EntityKind::Url, &found.urls),
        (EntityKind::Device, &found.devices),
        (EntityKind::Ask, &found.asks),
    ];
    let listed =
        lists.into_iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text.as_str())));
    let amounts = found.amounts.iter().map(|amount| (EntityKind::Amount, amount.text.as_str()));
    let dates = found.dates.iter().map(|date| (EntityKind::Date, date.text.as_str()));
    let product = found.product.iter().map(|product| (EntityKind::Product, product.as_str()));
    listed.chain(amounts).chain(dates).chain(product)
}

/// The first place where a text stands by itself, not as a piece of something longer.
fn first(message: Message<'_>, kind: EntityKind, text: &str) -> Option<Mention> {
    let parts = [(Part::Subject, message.subject), (Part::Body, message.body)];
    parts.into_iter().find_map(|(part, whole)| {
        let (at, _) = whole.match_indices(text).find(|(at, _)| stands_alone(whole, *at, text))?;
        let characters = |text: &str| u32::try_from(text.chars().count()).ok();
        let start = characters(&whole[..at])?;
        Some(Mention { part, start, end: start + characters(text)?, kind })
    })
}

fn stands_alone(whole: &str, at: usize, text: &str) -> bool {
    let goes_on = |outer: Option<char>, inner: Option<char>| {
        outer.is_some_and(char::is_alphanumeric) && inner.is_some_and(char::is_alphanumeric)
    };
    let (before, after) = (whole[..at].chars().next_back(), whole[at + text.len()..].chars().next());
    !text.is_empty() && !goes_on(before, text.chars().next()) && !goes_on(after, text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketflow_tickets::triage::IssueType;

    #[test]
    fn mentions_name_part_and_characters_of_the_first_place() {
        let mut found = Extraction::empty(IssueType::Question);
        found.order_ids = vec!["4821".to_owned(), "gone".to_owned()];
        found.asks = vec!["Où est-elle ?".to_owned()];
        let message = Message { subject: "Commande 48213", body: "La commandé 4821 ! Où est-elle ?" };
        let at = |kind, start, end| Mention { part: Part::Body, start, end, kind };
        assert_eq!(mentions(message, &found), [at(EntityKind::Order, 12, 16), at(EntityKind::Ask, 19, 32)]);
    }
}
