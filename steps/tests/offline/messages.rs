//! Real chat turns from other trades (airlines, insurers, telecoms), where the data set is at hand.

use crate::desk::{Desk, labelled};

#[test]
fn foreign_chat_turns_are_read_better_than_by_chance() {
    let Some(messages) = labelled("../../shared/data/tickets/customer_messages.jsonl") else {
        println!("skipped: the data set of chat turns is not at hand");
        return;
    };
    let desk = Desk::open();
    let (mut right, mut sure, mut surely_right) = (0, 0, 0);
    for message in &messages {
        let found = desk.offline.classify(message.message());
        let fits = found.category.as_str() == message.label("expected_category");
        right += usize::from(fits);
        sure += usize::from(!found.needs_review);
        surely_right += usize::from(fits && !found.needs_review);
    }
    println!("of {}: category {right}; sure of {sure}, {surely_right} of them right", messages.len());
    assert!(right * 100 >= messages.len() * 45, "{right}");
    assert!(surely_right * 100 >= sure * 60, "{surely_right} of {sure}");
}
