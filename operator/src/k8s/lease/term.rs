//! The leader's term, as the Lease holds it and as it should be.
//!
//! A pod may have seen a higher term than ours: from a leader whose Lease was deleted or restored. Ours must become higher still, but no
//! pod hears of a term before the Lease holds it: two leaders that raised theirs by themselves could use the same one.

use tokio::sync::watch;

/// The leader's term. Clones are the same term.
#[derive(Clone, Debug)]
pub struct Term {
    held: watch::Sender<i32>,
    wanted: watch::Sender<i32>,
}

impl Term {
    /// The term with which the Lease was acquired.
    pub fn new(held: i32) -> Self {
        Self {
            held: watch::Sender::new(held),
            wanted: watch::Sender::new(held),
        }
    }

    /// What the Lease is known to hold: the only one that pods are told.
    pub fn held(&self) -> i32 {
        *self.held.borrow()
    }

    /// A pod has seen `seen`: the Lease is to be raised above it.
    pub fn rise_above(&self, seen: u64) {
        let above = i32::try_from(seen).unwrap_or(i32::MAX).saturating_add(1);
        self.wanted.send_if_modified(|wanted| {
            let rises = *wanted < above;
            *wanted = above.max(*wanted);
            rises
        });
    }

    /// What the Lease should hold at least.
    pub(super) fn wanted(&self) -> i32 {
        *self.wanted.borrow()
    }

    /// Tells of every rise that is wanted from now on.
    pub(super) fn rises(&self) -> watch::Receiver<i32> {
        self.wanted.subscribe()
    }

    /// The Lease was written with this term.
    pub(super) fn written(&self, term: i32) {
        self.held
            .send_if_modified(|held| std::mem::replace(held, term) != term);
    }
}
