//! The leader's term, as the Lease holds it and as it should be.
//!
//! A pod may have seen a higher term than ours: from a leader whose Lease was deleted or restored. Ours must become higher still, but no
//! pod hears of a term before the Lease holds it: two leaders that raised theirs by themselves could use the same one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// One more with every change of leaders: no term comes near this by itself, and above it must be room for those to come.
const LIKELY: i32 = i32::MAX / 2;

/// The leader's term. Clones are the same term.
#[derive(Clone, Debug)]
pub struct Term {
    held: watch::Sender<i32>,
    wanted: watch::Sender<i32>,
    doubted: Arc<AtomicBool>,
}

impl Term {
    /// The term with which the Lease was acquired.
    pub fn new(held: i32) -> Self {
        Self {
            held: watch::Sender::new(held),
            wanted: watch::Sender::new(held),
            doubted: Arc::default(),
        }
    }

    /// What the Lease is known to hold: the only one that pods are told.
    pub fn held(&self) -> i32 {
        *self.held.borrow()
    }

    /// A pod has seen `seen`: the Lease is to be raised above it. Not above a term that no leader can have had: the Lease could be raised
    /// no more, and one pod would have cost all others the means to refuse an old leader. Such a pod stays out of reach.
    pub fn rise_above(&self, seen: u64) {
        let Some(seen) = i32::try_from(seen).ok().filter(|seen| *seen < LIKELY) else {
            if !self.doubted.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    seen,
                    "a pod claims a leader's term that cannot be; it is not followed. Delete that pod"
                );
            }
            return;
        };
        let above = seen + 1;
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
