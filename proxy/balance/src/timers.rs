//! When time alone changes something. Entries are never taken out: one whose unit has another deadline by then does nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::provider::Unit;
use crate::time::Time;

/// Deadlines of units of providers (by index).
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Time, usize, Unit)>>,
}

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

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}
