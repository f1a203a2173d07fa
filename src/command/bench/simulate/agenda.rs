//! Virtual time: what is to happen, in order. Of what happens at one moment, what was put down first comes first.

use std::{cmp::Ordering, collections::BinaryHeap, time::Duration};

#[derive(Debug)]
pub(super) struct Agenda<E> {
    now: Duration,
    entries: BinaryHeap<Entry<E>>,
    put_down: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Duration,
    number: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(super) const fn new() -> Self {
        Self { now: Duration::ZERO, entries: BinaryHeap::new(), put_down: 0 }
    }

    /// Time since the beginning.
    pub(super) const fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn after(&mut self, delay: Duration, event: E) {
        self.put_down += 1;
        self.entries.push(Entry { at: self.now + delay, number: self.put_down, event });
    }

    /// Goes on to the next event, unless that is after the `end`.
    pub(super) fn next_before(&mut self, end: Duration) -> Option<E> {
        if self.entries.peek()?.at > end {
            return None;
        }
        let entry = self.entries.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest first.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_of_writing_and_none_after_the_end() {
        let mut agenda = Agenda::new();
        let second = Duration::from_secs(1);
        agenda.after(second * 2, 'c');
        agenda.after(second, 'a');
        agenda.after(second, 'b');
        agenda.after(second * 4, 'd');
        let seen: Vec<_> = std::iter::from_fn(|| agenda.next_before(second * 3)).collect();
        assert_eq!((seen, agenda.now()), (vec!['a', 'b', 'c'], second * 2));
    }
}
