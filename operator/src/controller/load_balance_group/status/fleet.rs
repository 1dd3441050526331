//! The pods of a group, as the decisions see them.

use std::time::Duration;

use keypool_contract::exchange::Acknowledgement;

use super::Applied;
use crate::moment::Monotonic;

/// Without an exchange for so long, a pod counts as out of reach.
pub const SILENT_AFTER: Duration = Duration::from_secs(15);

/// The pods of one group.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fleet {
    /// `spec.proxy.replicas`.
    pub wanted: i32,
    /// Every pod that exists.
    pub pods: Vec<PodView>,
    /// When this process became the leader.
    pub leading_since: Monotonic,
}

/// One pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// It is being deleted.
    pub terminating: bool,
    /// Its proxy container runs.
    pub running: bool,
    /// It is ready.
    pub ready: bool,
    /// Since when this leader has seen it run.
    pub running_since: Monotonic,
    /// The last exchange with this leader; none before the first.
    pub exchange: Option<PodExchange>,
}

/// What the last exchange told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodExchange {
    /// The pod's process.
    pub instance: String,
    /// What it runs.
    pub acknowledgement: Acknowledgement,
    /// When it was told.
    pub heard: Monotonic,
}

impl PodView {
    /// Not terminating and its proxy container running, ready or not.
    pub fn counted(&self) -> bool {
        !self.terminating && self.running
    }

    /// When it becomes silent, if it says nothing more.
    pub(super) fn silent_at(&self) -> Monotonic {
        self.exchange
            .as_ref()
            .map_or(self.running_since, |exchange| exchange.heard)
            + SILENT_AFTER
    }

    pub(super) fn acknowledged(&self, applied: &Applied) -> bool {
        let told =
            |exchange: &PodExchange| exchange.acknowledgement.hash.as_ref() == Some(&applied.desired.hash);
        self.exchange.as_ref().is_some_and(told)
    }

    /// Whether it runs a document of the current spec or a later one.
    pub(super) fn runs_current_spec(&self, applied: &Applied) -> bool {
        let told = |exchange: &PodExchange| {
            let running = &exchange.acknowledgement;
            running.lineage == applied.desired.stamp.lineage
                && running.generation >= applied.desired.spec_since
        };
        self.exchange.as_ref().is_some_and(told)
    }
}

impl Fleet {
    /// The pods that count.
    pub fn counted(&self) -> impl Iterator<Item = &PodView> {
        self.pods.iter().filter(|pod| pod.counted())
    }

    /// Whether this leader may still not have heard those that it found.
    pub fn settling(&self, now: Monotonic) -> bool {
        now < self.leading_since + SILENT_AFTER
    }

    /// Pods that report: those in an exchange.
    pub fn reporting(&self, now: Monotonic) -> usize {
        self.counted()
            .filter(|pod| pod.exchange.is_some() && now < pod.silent_at())
            .count()
    }

    /// The highest generation of the lineage under which a pod runs other bytes than the stored ones; 0 for none. The next document
    /// must be above it, or that pod would keep what it has.
    pub fn reported_generation(
        &self,
        lineage: &str,
        generation: u64,
        hash: &keypool_contract::document::DocumentHash,
    ) -> u64 {
        let running = self
            .counted()
            .filter_map(|pod| pod.exchange.as_ref())
            .map(|e| &e.acknowledgement);
        let foreign = running.filter(|running| {
            running.lineage == lineage
                && running.generation >= generation
                && running.hash.as_ref() != Some(hash)
        });
        foreign.map(|running| running.generation).max().unwrap_or(0)
    }
}
