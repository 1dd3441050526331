//! The operator's metrics: base units, labels of closed sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Which kind a reconcile or a write is about.
#[derive(Clone, Copy, Debug, EncodeLabelValue, Eq, Hash, PartialEq)]
pub enum Kind {
    /// A ModelProvider.
    ModelProvider,
    /// A LoadBalanceGroup.
    LoadBalanceGroup,
}

/// How a reconcile or a write ended.
#[derive(Clone, Copy, Debug, EncodeLabelValue, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Failed, and tried again later.
    Failed,
    /// A status that would have said what the resource already says.
    Unchanged,
    /// A status that waited and was replaced by a later one.
    Coalesced,
}

/// Labels of a counter or histogram by kind and outcome.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Labels {
    kind: Kind,
    outcome: Outcome,
}

/// Handles to all metrics. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    reconciles: Family<Labels, Histogram, fn() -> Histogram>,
    status_writes: Family<Labels, Counter<u64, AtomicU64>>,
    acknowledged: Gauge<i64, AtomicI64>,
    leader: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("keypool");
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.002, 2.0, 14));
        let reconciles = Family::new_with_constructor(buckets);
        let status_writes = Family::default();
        let (acknowledged, leader) = (Gauge::default(), Gauge::default());
        let named = "Time of one reconcile, by kind and outcome";
        registry.register("reconcile_duration_seconds", named, reconciles.clone());
        registry.register(
            "status_writes",
            "Status writes, by kind and outcome",
            status_writes.clone(),
        );
        registry.register(
            "pods_acknowledged",
            "Pods that run the desired document",
            acknowledged.clone(),
        );
        registry.register("leader", "1 while this instance leads", leader.clone());
        Self {
            registry: Arc::new(Mutex::new(registry)),
            reconciles,
            status_writes,
            acknowledged,
            leader,
        }
    }
}

impl Metrics {
    /// One reconcile ended.
    pub fn reconciled(&self, kind: Kind, outcome: Outcome, took: Duration) {
        self.reconciles
            .get_or_create(&Labels { kind, outcome })
            .observe(took.as_secs_f64());
    }

    /// One status was written, or not.
    pub fn status(&self, kind: Kind, outcome: Outcome) {
        self.status_writes.get_or_create(&Labels { kind, outcome }).inc();
    }

    /// How many pods run the desired document now.
    pub fn pods_acknowledged(&self, pods: usize) {
        self.acknowledged.set(i64::try_from(pods).unwrap_or(i64::MAX));
    }

    /// This instance leads now.
    pub fn leads(&self) {
        self.leader.set(1);
    }

    /// All metrics as text.
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut out, &self.registry.lock());
        out
    }
}
