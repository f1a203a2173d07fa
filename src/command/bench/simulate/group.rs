//! Group commit, as a process's committing tasks do it: what arrives while one commits is written together by the next.

use std::collections::VecDeque;
use ticketflow_engine::topology::PARTS_AT_ONCE;

/// Runs whose results, or who themselves, wait to be written by one process.
#[derive(Debug)]
pub(super) struct Group {
    waiting: VecDeque<usize>,
    cap: usize,
    tasks: Vec<Task>,
    /// Those added and not written yet.
    unwritten: usize,
}

/// A committing task, and what is left of its batch: parts that are not sent yet, and how many are under way.
#[derive(Debug, Clone, Default)]
struct Task {
    left: Vec<Vec<usize>>,
    under_way: usize,
}

/// What one transaction writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) task: usize,
    pub(super) runs: Vec<usize>,
}

impl Group {
    pub(super) fn new(tasks: usize, cap: usize) -> Self {
        Self { waiting: VecDeque::new(), cap, tasks: vec![Task::default(); tasks], unwritten: 0 }
    }

    pub(super) fn add(&mut self, run: usize) {
        self.waiting.push_back(run);
        self.unwritten += 1;
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.unwritten
    }

    /// What is to be sent next, if some task may send; `split` divides a batch into what one transaction may write.
    pub(super) fn next(&mut self, split: impl FnOnce(Vec<usize>) -> Vec<Vec<usize>>) -> Option<Part> {
        let ready = |task: &Task| !task.left.is_empty() && task.under_way < PARTS_AT_ONCE;
        let begun = self.tasks.iter().position(ready);
        let task = begun.or_else(|| self.begin(split))?;
        let runs = self.tasks[task].left.pop()?;
        self.tasks[task].under_way += 1;
        Some(Part { task, runs })
    }

    fn begin(&mut self, split: impl FnOnce(Vec<usize>) -> Vec<Vec<usize>>) -> Option<usize> {
        let idle = self.tasks.iter().position(|task| task.left.is_empty() && task.under_way == 0)?;
        let batch: Vec<usize> = self.waiting.drain(..self.waiting.len().min(self.cap)).collect();
        if batch.is_empty() {
            return None;
        }
        self.tasks[idle].left = split(batch);
        Some(idle)
    }

    /// A part is written.
    pub(super) fn written(&mut self, part: &Part) {
        self.tasks[part.task].under_way -= 1;
        self.unwritten -= part.runs.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(batch: Vec<usize>) -> Vec<Vec<usize>> {
        vec![batch]
    }

    fn runs(part: &Part) -> &[usize] {
        &part.runs
    }

    #[test]
    fn what_arrives_while_a_task_commits_is_written_together() {
        let mut group = Group::new(1, 2);
        group.add(0);
        let first = group.next(whole).unwrap();
        assert_eq!(runs(&first), [0]);
        (1..4).for_each(|run| group.add(run));
        assert_eq!(group.next(whole), None);
        group.written(&first);
        let second = group.next(whole).unwrap();
        assert_eq!(runs(&second), [1, 2]);
        assert_eq!(group.len(), 3);
        group.written(&second);
        assert_eq!(runs(&group.next(whole).unwrap()), [3]);
    }

    #[test]
    fn a_batch_of_many_parts_has_some_under_way_at_once_and_ends_with_the_last() {
        let mut group = Group::new(1, 100);
        (0..=PARTS_AT_ONCE).for_each(|run| group.add(run));
        let each = |batch: Vec<usize>| batch.into_iter().map(|run| vec![run]).collect();
        let sent: Vec<Part> = std::iter::from_fn(|| group.next(each)).collect();
        assert_eq!(sent.len(), PARTS_AT_ONCE);
        group.add(99);
        sent.iter().for_each(|part| group.written(part));
        let last = group.next(each).unwrap();
        assert_eq!(group.next(each), None);
        group.written(&last);
        assert_eq!(runs(&group.next(each).unwrap()), [99]);
    }
}
