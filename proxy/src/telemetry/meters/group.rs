//! Handles of a group.

use std::ops::Range;

use parking_lot::RwLock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::telemetry::labels::{GroupLabels, OPERATIONS, RequestLabels};
use crate::telemetry::metrics::{Metrics, handle};

/// What HTTP can say.
const STATUSES: Range<u16> = 100..1000;

/// Handles of a group.
pub(crate) struct GroupMeters {
    pub(in crate::telemetry) in_flight: Gauge,
    /// By operation and status: a handful.
    requests: RwLock<Vec<((usize, u16), Counter)>>,
}

impl GroupMeters {
    pub(crate) fn new(metrics: &Metrics, group: &str) -> Self {
        Self {
            in_flight: handle(&metrics.in_flight, &GroupLabels::new(group)),
            requests: RwLock::default(),
        }
    }

    pub(in crate::telemetry) fn count_request(
        &self,
        metrics: &Metrics,
        group: &str,
        operation: usize,
        status: u16,
    ) {
        let key = (operation, status);
        if let Some((_, counter)) = self.requests.read().iter().find(|(known, _)| *known == key) {
            counter.inc();
            return;
        }
        let counter = metrics.requests_of(group, operation, status);
        counter.inc();
        self.requests.write().push((key, counter));
    }

    /// Ends the series of a group that is gone. Those that were counted under an earlier snapshot are not in these handles, so all
    /// that there could be are looked for.
    pub(in crate::telemetry) fn forget(metrics: &Metrics, group: &str) {
        metrics.in_flight.remove(&GroupLabels::new(group));
        for operation in 0..OPERATIONS.len() {
            for status in STATUSES {
                metrics
                    .requests
                    .remove(&RequestLabels::new(group, operation, status));
            }
        }
    }
}

impl std::fmt::Debug for GroupMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GroupMeters")
    }
}
