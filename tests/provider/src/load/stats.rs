//! What one thread counts.

use std::collections::BTreeMap;

use super::Histogram;

#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) answers: u64,
    pub(super) statuses: BTreeMap<u16, u64>,
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) body_bytes: u64,
    pub(super) events: u64,
    pub(super) reconnects: u64,
    /// Start (intended, in open loop) to the last byte.
    pub(super) latency: Histogram,
    /// Start to the first byte of the body.
    pub(super) first_event: Histogram,
    /// Start to the end of the second event: the first with content.
    pub(super) first_content: Histogram,
    /// An event's sending to its arrival.
    pub(super) event_delay: Histogram,
    /// How late requests left, in open loop.
    pub(super) start_delay: Histogram,
    /// The counted time.
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

impl Stats {
    pub(super) fn error(&mut self, what: &'static str) {
        *self.errors.entry(what).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (what, count) in &other.errors {
            *self.errors.entry(what).or_default() += count;
        }
        self.body_bytes += other.body_bytes;
        self.events += other.events;
        self.reconnects += other.reconnects;
        self.latency.add(&other.latency);
        self.first_event.add(&other.first_event);
        self.first_content.add(&other.first_content);
        self.event_delay.add(&other.event_delay);
        self.start_delay.add(&other.start_delay);
        self.from_ns = if self.from_ns == 0 {
            other.from_ns
        } else {
            self.from_ns.min(other.from_ns)
        };
        self.to_ns = self.to_ns.max(other.to_ns);
    }
}
