//! The result, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LoadOptions, Percentiles, Stats};

/// What a load showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Connections.
    pub connections: usize,
    /// Intended rate; none in closed loop.
    pub rate: Option<f64>,
    /// Counted time.
    pub seconds: f64,
    /// Whole and right answers with status 200.
    pub answers: u64,
    /// Of these, per second.
    pub answers_per_second: f64,
    /// All statuses.
    pub statuses: BTreeMap<u16, u64>,
    /// What went wrong, and how often.
    pub errors: BTreeMap<String, u64>,
    /// Body bytes received.
    pub body_bytes: u64,
    /// Events received.
    pub events: u64,
    /// Connections made again.
    pub reconnects: u64,
    /// Start to the last byte; in open loop from the intended start.
    pub latency: Percentiles,
    /// Start to the first byte of the body.
    pub first_event: Percentiles,
    /// Start to the first event with content.
    pub first_content: Percentiles,
    /// An event's sending to its arrival, when events are stamped.
    pub event_delay: Percentiles,
    /// How late requests left (open loop): what of the latency is waiting for a free connection or for this program.
    pub start_delay: Percentiles,
}

impl Report {
    pub(super) fn new(options: &LoadOptions, stats: &Stats) -> Self {
        let seconds = stats.to_ns.saturating_sub(stats.from_ns) as f64 / 1e9;
        Self {
            connections: options.connections,
            rate: options.rate,
            seconds,
            answers: stats.answers,
            answers_per_second: if seconds > 0.0 {
                stats.answers as f64 / seconds
            } else {
                0.0
            },
            statuses: stats.statuses.clone(),
            errors: stats
                .errors
                .iter()
                .map(|(what, count)| ((*what).to_owned(), *count))
                .collect(),
            body_bytes: stats.body_bytes,
            events: stats.events,
            reconnects: stats.reconnects,
            latency: stats.latency.percentiles(),
            first_event: stats.first_event.percentiles(),
            first_content: stats.first_content.percentiles(),
            event_delay: stats.event_delay.percentiles(),
            start_delay: stats.start_delay.percentiles(),
        }
    }

    /// Errors and answers with another status than 200.
    pub fn failures(&self) -> u64 {
        let refused: u64 = self
            .statuses
            .iter()
            .filter(|(status, _)| **status != 200)
            .map(|(_, count)| count)
            .sum();
        refused + self.errors.values().sum::<u64>()
    }
}
