//! From where a worker looks for a queue's ready runs.
//!
//! Whoever holds on to a snapshot keeps a version of every run that was taken since, and they all stand before those that
//! are ready: a look from the beginning passes them one by one. Once such looks take long, most looks begin where the last
//! runs were found instead. What stands before that, urgent or ready again, waits for the next look at everything, which
//! comes after ten times as long as the last one took.

use chrono::TimeDelta;
use std::time::{Duration, Instant};
use ticketflow_engine::store::claim::{LeasedRun, Place};

/// A look at everything that takes no longer is taken each time.
const QUICK: Duration = Duration::from_millis(25);
/// Part of the time that looks at everything may take once they are slow.
const ONE_IN: u32 = 10;
/// Runs become visible in another order than they became ready, by how long a commit takes: far less than this.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Bookmark {
    place: Option<Place>,
    everything_at: Option<Instant>,
}

impl Bookmark {
    /// Where a look at `now` begins.
    pub(crate) fn from(&self, now: Instant) -> Place {
        match (self.place, self.everything_at) {
            (Some(place), Some(at)) if now < at => Place { wake_at: place.wake_at - SLACK, ..place },
            (Some(_) | None, _) => Place::FIRST,
        }
    }

    /// Notes what a look `from` a place found and how long it took until `now`.
    pub(crate) fn note(&mut self, from: Place, found: &[LeasedRun], took: Duration, now: Instant) {
        let found = found.iter().map(|run| run.place);
        if from == Place::FIRST {
            self.everything_at = (took > QUICK).then(|| now + took * ONE_IN);
            self.place = furthest(found).or(self.place);
        } else {
            self.place = furthest(found.chain(self.place));
        }
    }
}

/// The last place of the most urgent priority: of the others some may stand further in front than what was found.
fn furthest(places: impl Iterator<Item = Place>) -> Option<Place> {
    places.reduce(|one, other| if one.priority == other.priority { one.max(other) } else { one.min(other) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    const SLOW: Duration = Duration::from_millis(80);

    fn place(priority: i16, second: i64) -> Place {
        Place { priority, wake_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000 + second) }
    }

    fn run(place: Place) -> LeasedRun {
        LeasedRun {
            id: ticketflow_engine::RunId::from_uuid(uuid::Uuid::nil()),
            epoch: ticketflow_engine::Epoch(1),
            attempt: 1,
            place,
            signal_count: 0,
            slots: 0,
            queue: "default".to_owned(),
            concurrency_key: None,
            log: Vec::new(),
            claimed_at: place.wake_at,
        }
    }

    #[test]
    fn quick_looks_begin_at_the_beginning() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());
        assert_eq!(bookmark.from(now), Place::FIRST);
        bookmark.note(Place::FIRST, &[run(place(0, 5))], QUICK, now);
        assert_eq!(bookmark.from(now), Place::FIRST);
    }

    #[test]
    fn after_a_slow_look_the_next_begin_where_it_found_runs_for_ten_times_as_long() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());
        bookmark.note(Place::FIRST, &[run(place(0, 5)), run(place(0, 7)), run(place(3, 1))], SLOW, now);
        assert_eq!(bookmark.from(now), place(0, 6), "a second before the last of the most urgent");
        bookmark.note(place(0, 6), &[run(place(0, 9)), run(place(3, 2))], QUICK, now);
        assert_eq!(bookmark.from(now), place(0, 8));
        bookmark.note(place(0, 8), &[], QUICK, now);
        assert_eq!(bookmark.from(now + SLOW * 9), place(0, 8), "nothing found is no reason to go back or on");
        assert_eq!(bookmark.from(now + SLOW * 10), Place::FIRST);
        bookmark.note(Place::FIRST, &[], QUICK, now + SLOW * 10);
        assert_eq!(bookmark.from(now + SLOW * 10), Place::FIRST, "looks are quick again");
    }

    #[test]
    fn a_look_at_everything_forgets_a_priority_of_which_nothing_came() {
        let (mut bookmark, now) = (Bookmark::default(), Instant::now());
        bookmark.note(Place::FIRST, &[run(place(-1, 5))], SLOW, now);
        bookmark.note(Place::FIRST, &[run(place(2, 9))], SLOW, now);
        assert_eq!(bookmark.from(now), place(2, 8));
        bookmark.note(place(2, 8), &[run(place(1, 20))], QUICK, now);
        assert_eq!(bookmark.from(now), place(1, 19), "a more urgent one that was due");
    }
}
