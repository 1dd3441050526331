//! The process's metrics. A request touches only handles that its group and member hold already ([`super::meters`]).

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{AttemptLabels, GroupLabels, LatencyLabels, RequestLabels, TokenLabels, operation};
use super::meters::GroupMeters;
use super::record::Entry;
use crate::runtime::Snapshot;

/// Seconds from a request's arrival to its end: from an answer out of a cache to a reasoning model's ten minutes.
const DURATION: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0,
];
/// Seconds from a request's arrival to its first content.
const FIRST_EVENT: [f64; 15] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 30.0, 60.0, 120.0,
];

/// All metrics of surface.md that this build has something to say for.
pub struct Metrics {
    pub(crate) registry: RwLock<Registry>,
    pub(super) requests: Family<RequestLabels, Counter>,
    pub(super) durations: Family<LatencyLabels, Histogram, Buckets>,
    pub(super) first_events: Family<LatencyLabels, Histogram, Buckets>,
    pub(super) attempts: Family<AttemptLabels, Counter>,
    pub(super) in_flight: Family<GroupLabels, Gauge>,
    pub(super) tokens: Family<TokenLabels, Counter>,
    /// Lines that the access log had no room for.
    pub(crate) access_log_dropped: Counter,
    /// Generation of the running document.
    pub(crate) config_generation: Gauge,
    /// 1 when the newest document that was offered runs, 0 when it was refused.
    pub(crate) config_successful: Gauge,
    /// Unix time of the last document that was taken over.
    pub(crate) config_timestamp: Gauge,
}

/// Makes the histograms of one family.
#[derive(Clone, Copy)]
pub(super) struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl Metrics {
    /// Registers everything.
    pub fn new() -> Arc<Self> {
        let metrics = Self {
            registry: RwLock::new(Registry::with_prefix("keypool")),
            requests: Family::default(),
            durations: Family::new_with_constructor(Buckets(&DURATION)),
            first_events: Family::new_with_constructor(Buckets(&FIRST_EVENT)),
            attempts: Family::default(),
            in_flight: Family::default(),
            tokens: Family::default(),
            access_log_dropped: Counter::default(),
            config_generation: Gauge::default(),
            config_successful: Gauge::default(),
            config_timestamp: Gauge::default(),
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&self) {
        let mut registry = self.registry.write();
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From a request's arrival to the end of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register_with_unit(
            "time_to_first_event",
            "From a request's arrival to the first content that went to the client",
            Unit::Seconds,
            self.first_events.clone(),
        );
        registry.register(
            "attempts",
            "Attempts at a provider, by how they ended",
            self.attempts.clone(),
        );
        registry.register(
            "inflight_requests",
            "Requests being served",
            self.in_flight.clone(),
        );
        registry.register("tokens", "Tokens that providers reported", self.tokens.clone());
        registry.register(
            "access_log_dropped",
            "Access log lines that had no room",
            self.access_log_dropped.clone(),
        );
        registry.register(
            "config_generation",
            "Generation of the running document",
            self.config_generation.clone(),
        );
        registry.register(
            "config_last_reload_successful",
            "1 when the newest document that was offered runs",
            self.config_successful.clone(),
        );
        registry.register(
            "config_last_reload_timestamp_seconds",
            "Unix time at which the running document was taken over",
            self.config_timestamp.clone(),
        );
    }

    /// Adds something that is computed when it is asked for.
    pub(crate) fn collect(&self, collector: impl Collector) {
        self.registry.write().register_collector(Box::new(collector));
    }

    /// Counts a request that is over.
    pub(super) fn request(&self, entry: &Entry, took: Duration) {
        let operation = operation(entry.operation.as_ref());
        let status = entry.status.map_or(499, |status| status.as_u16());
        match &entry.group {
            Some(group) => {
                group.meters.in_flight.dec();
                group.meters.count_request(self, &group.name, operation, status);
            }
            None => {
                self.requests_of("", operation, status).inc();
            }
        }
        let Some((member, _)) = &entry.served else {
            return;
        };
        member
            .meters
            .duration(member, operation)
            .observe(took.as_secs_f64());
        if let Some(first) = entry.first_event {
            member
                .meters
                .first_event(member, operation)
                .observe(first.as_secs_f64());
        }
        if let Some(usage) = entry.usage {
            member.meters.count_tokens(member, usage);
        }
    }

    pub(super) fn requests_of(&self, group: &str, operation: usize, status: u16) -> Counter {
        handle(&self.requests, &RequestLabels::new(group, operation, status))
    }

    /// Ends the series of what a new snapshot no longer has, so that they do not gather over a process's life.
    pub(crate) fn retire(&self, before: &Snapshot, now: &Snapshot) {
        for group in before.groups() {
            let Some(same) = now.group(&group.name) else {
                GroupMeters::forget(self, &group.name);
                group
                    .members
                    .iter()
                    .for_each(|member| member.meters.forget(member));
                continue;
            };
            for member in &group.members {
                let Some(same) = same.members.iter().find(|other| other.name == member.name) else {
                    member.meters.forget(member);
                    continue;
                };
                let kept = |name: &str| same.provider.credentials.iter().any(|other| &*other.name == name);
                for (place, credential) in member.provider.credentials.iter().enumerate() {
                    if !kept(&credential.name) {
                        member.meters.forget_credential(member, place);
                    }
                }
            }
        }
    }
}

/// The handle of one label set, made if it is not there.
pub(super) fn handle<L, M, C>(family: &Family<L, M, C>, labels: &L) -> M
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet,
    M: Clone,
    C: MetricConstructor<M>,
{
    family.get_or_create(labels).clone()
}
