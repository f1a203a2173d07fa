//! Nothing here is timed (tests run on loaded machines); the longest ticket only has to come through.

use crate::desk::{Desk, samples};
use ticketflow_steps::provider::offline::Message;

#[test]
fn the_longest_ticket_comes_through() {
    let desk = Desk::open();
    let long: String = samples().iter().map(|sample| sample.body.as_str()).collect::<Vec<_>>().join("\n");
    let body: String = long.chars().take(10_000).collect();
    let outcome = desk.work(Message { subject: &"word ".repeat(100), body: &body });
    assert!(outcome.draft.text.chars().count() < 5_000);
}
