//! One PostgreSQL: cores on which statements are carried out in the order in which they came, one core each.

use std::{collections::VecDeque, time::Duration};

#[derive(Debug)]
pub(super) struct Server<S> {
    free: usize,
    waiting: VecDeque<S>,
    /// Time that its cores have worked, all together.
    pub(super) busy: Duration,
}

impl<S> Server<S> {
    pub(super) const fn with_cores(cores: usize) -> Self {
        Self { free: cores, waiting: VecDeque::new(), busy: Duration::ZERO }
    }

    pub(super) fn send(&mut self, statement: S) {
        self.waiting.push_back(statement);
    }

    /// The next statement, if a core is free for it; the core is taken until it is freed.
    pub(super) fn begin(&mut self) -> Option<S> {
        if self.free == 0 {
            return None;
        }
        let statement = self.waiting.pop_front()?;
        self.free -= 1;
        Some(statement)
    }

    /// A statement that took so long is carried out.
    pub(super) fn finish(&mut self, took: Duration) {
        self.free += 1;
        self.busy += took;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{agenda::Agenda, random::Random},
        *,
    };

    #[derive(Debug)]
    enum Event {
        Arrival,
        Done,
    }

    /// Mean wait for a core of one, by what it takes, where statements of one length come at random.
    fn mean_wait(load: f64) -> f64 {
        let took = Duration::from_millis(1);
        let (mut random, mut agenda, mut server) = (Random::seeded(3), Agenda::new(), Server::with_cores(1));
        let (mut waited, mut count) = (Duration::ZERO, 0_u32);
        agenda.after(Duration::ZERO, Event::Arrival);
        while let Some(event) = agenda.next_before(Duration::from_secs(1_000)) {
            match event {
                Event::Arrival => {
                    server.send(agenda.now());
                    agenda.after(random.exponential(took.div_f64(load)), Event::Arrival);
                }
                Event::Done => server.finish(took),
            }
            if let Some(came) = server.begin() {
                waited += agenda.now().saturating_sub(came);
                count += 1;
                agenda.after(took, Event::Done);
            }
        }
        waited.div_f64(took.as_secs_f64()).as_secs_f64() / f64::from(count)
    }

    #[test]
    fn one_core_is_the_queue_m_d_1() {
        for load in [0.3_f64, 0.5, 0.8] {
            let expected = load / (2.0 * (1.0 - load));
            let measured = mean_wait(load);
            assert!((measured / expected - 1.0).abs() < 0.03, "at {load}: {measured}, not {expected}");
        }
    }

    #[test]
    fn as_many_statements_are_carried_out_at_once_as_there_are_cores() {
        let mut server = Server::with_cores(2);
        (0..3).for_each(|number| server.send(number));
        assert_eq!([server.begin(), server.begin(), server.begin()], [Some(0), Some(1), None]);
        server.finish(Duration::from_secs(1));
        assert_eq!((server.begin(), server.busy), (Some(2), Duration::from_secs(1)));
    }
}
