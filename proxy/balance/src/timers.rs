//! When time alone changes something. Entries are never taken out: one whose unit has another deadline by then does nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::provider::Unit;
use crate::time::Time;

/// Deadlines of units of providers (by index).
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Time, usize, Unit)>>,
    /// More entries than this are mostly outdated.
    limit: usize,
}

/// Entries that are never worth a look for outdated ones.
const SMALL: usize = 4_096;

impl Timers {
    pub(crate) fn set(&mut self, at: Time, provider: usize, unit: Unit) {
        self.heap.push(Reverse((at, provider, unit)));
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn pop(&mut self, now: Time) -> Option<(usize, Unit)> {
        self.next().filter(|at| *at <= now)?;
        self.heap
            .pop()
            .map(|Reverse((_, provider, unit))| (provider, unit))
    }

    /// Whether so many entries came that the owner should set all anew.
    pub(crate) fn is_crowded(&self) -> bool {
        self.heap.len() > self.limit.max(SMALL)
    }

    /// Sets all anew.
    pub(crate) fn replace(&mut self, entries: impl Iterator<Item = (Time, usize, Unit)>) {
        self.heap = entries.map(Reverse).collect();
        self.limit = 2 * self.heap.len();
    }
}
