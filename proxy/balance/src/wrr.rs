//! Weighted round robin with a proven bound: earliest deadline first among the eligible.
//!
//! A target of weight `w` in a set of total weight `W` owes its request number `k` (from 0) to the slots
//! `floor(k·W/w) .. ceil((k+1)·W/w)`. Among the requests whose first slot has come, the one with the earliest last slot goes first. On one
//! server this keeps every window (Baruah et al., proportionate progress), and a target that keeps its windows is less than one
//! request away from its share at every moment.
//!
//! * **A change of set or weights** starts again with nobody owed anything: a returning target gets no credit. The first slot after it goes
//!   to a target drawn by weight. Any first choice can be completed within the windows, and without the draw a set that changes at
//!   every request would send everything to the heaviest.
//! * **The first start** is at a random slot of the cycle, so that replicas do not meet on the same key: counted from there the bound is two.
//! * **A filtered pick** (a request that may not use some targets) takes the earliest deadline among the others and is charged like any other.
//!   The bound holds for unfiltered picks; a skipped target catches up, because its deadline is the oldest.
//! * **Ties** are broken at random, drawn when a request enters its window: list order decides nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::random::Random;

/// One set of targets and how far each has come. Costs O(log n) per pick, O(n) per change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrr {
    items: Vec<Item>,
    total: u64,
    slot: u64,
    /// In their window, by deadline.
    ready: BinaryHeap<Reverse<Entry>>,
    /// Before their window, by release.
    waiting: BinaryHeap<Reverse<Entry>>,
    started: bool,
}

/// (slot, tie, item): ordered by slot, then by chance.
type Entry = (u64, u32, u32);

#[derive(Clone, Copy, Debug)]
struct Item {
    target: u32,
    weight: u64,
    count: u64,
}

impl Item {
    fn release(&self, total: u64) -> u64 {
        self.count * total / self.weight
    }

    fn deadline(&self, total: u64) -> u64 {
        ((self.count + 1) * total).div_ceil(self.weight)
    }
}

impl Wrr {
    /// Sets targets and weights (each above 0 and below 2^24). Nothing happens when they are what they were.
    pub(crate) fn set(&mut self, targets: impl Iterator<Item = (u32, u64)> + Clone, random: &mut Random) {
        if self
            .items
            .iter()
            .map(|item| (item.target, item.weight))
            .eq(targets.clone())
        {
            return;
        }
        self.items.clear();
        self.items.extend(targets.map(|(target, weight)| Item {
            target,
            weight,
            count: 0,
        }));
        self.total = self.items.iter().map(|item| item.weight).sum();
        if self.started || self.items.is_empty() {
            self.begin(random);
        } else {
            self.started = true;
            self.begin_at(random.below(self.total), random);
        }
    }

    /// The next target for which `allowed` holds, charged with one request.
    pub(crate) fn pick(&mut self, random: &mut Random, allowed: impl Fn(u32) -> bool) -> Option<u32> {
        if self.slot >= self.total {
            self.begin(random);
        }
        self.release(random);
        let mut skipped = Vec::new();
        let mut chosen = None;
        while let Some(Reverse(entry)) = self.ready.pop() {
            let index = entry.2 as usize;
            if self.items.get(index).is_some_and(|item| allowed(item.target)) {
                chosen = Some(index);
                break;
            }
            skipped.push(Reverse(entry));
        }
        self.ready.extend(skipped);
        match chosen {
            Some(index) => self.charge(index, random),
            None => self.pick_early(random, allowed),
        }
    }

    /// Nobody who may be chosen is in its window: the one whose deadline comes first goes before its time.
    fn pick_early(&mut self, random: &mut Random, allowed: impl Fn(u32) -> bool) -> Option<u32> {
        let total = self.total;
        let index = (0..self.items.len())
            .filter(|&index| allowed(self.items[index].target))
            .min_by_key(|&index| (self.items[index].deadline(total), random.next()))?;
        self.items[index].count += 1;
        self.slot += 1;
        self.fill(random);
        Some(self.items[index].target)
    }

    fn charge(&mut self, index: usize, random: &mut Random) -> Option<u32> {
        self.slot += 1;
        let item = self.items.get_mut(index)?;
        item.count += 1;
        let target = item.target;
        self.enter(index, random);
        Some(target)
    }

    fn begin(&mut self, random: &mut Random) {
        self.slot = 0;
        for item in &mut self.items {
            item.count = 0;
        }
        let mut drawn = random.below(self.total);
        let first = self.items.iter().position(|item| {
            let hit = drawn < item.weight;
            drawn = drawn.saturating_sub(item.weight);
            hit
        });
        self.fill(random);
        if let Some(first) = first {
            // Every deadline is 1 or later: this one comes before them all.
            self.ready.retain(|Reverse(entry)| entry.2 as usize != first);
            self.ready.push(Reverse((0, 0, first as u32)));
        }
    }

    /// As if `slot` requests had been served. Of the requests whose window lies across that moment as many are done as
    /// the slots allow, those with the earliest deadlines: whatever choice of that number can be completed, this one can.
    fn begin_at(&mut self, slot: u64, random: &mut Random) {
        self.slot = slot;
        let mut served = 0;
        let mut across = Vec::new();
        for (index, item) in self.items.iter_mut().enumerate() {
            let share = slot * item.weight;
            item.count = share / self.total;
            served += item.count;
            if !share.is_multiple_of(self.total) {
                across.push((item.deadline(self.total), random.next(), index));
            }
        }
        across.sort_unstable();
        for (_, _, index) in across.into_iter().take((slot - served) as usize) {
            self.items[index].count += 1;
        }
        self.fill(random);
    }

    fn fill(&mut self, random: &mut Random) {
        self.ready.clear();
        self.waiting.clear();
        for index in 0..self.items.len() {
            self.enter(index, random);
        }
    }

    fn enter(&mut self, index: usize, random: &mut Random) {
        let item = &self.items[index];
        let (release, tie) = (item.release(self.total), random.next() as u32);
        if release <= self.slot {
            self.ready
                .push(Reverse((item.deadline(self.total), tie, index as u32)));
        } else {
            self.waiting.push(Reverse((release, tie, index as u32)));
        }
    }

    fn release(&mut self, random: &mut Random) {
        while let Some(Reverse((release, _, index))) = self.waiting.peek().copied() {
            if release > self.slot {
                return;
            }
            self.waiting.pop();
            self.enter(index as usize, random);
        }
    }
}

#[cfg(test)]
mod tests;
