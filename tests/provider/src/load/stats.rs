//! What one thread counts.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::{Histogram, LoadOptions};
use crate::clock::now_ns;

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

    /// Judges and counts an answer that came to its end.
    pub(super) fn note(&mut self, options: &LoadOptions, connection: &Connection) {
        let (reader, exchange) = (&connection.reader, &connection.exchange);
        *self.statuses.entry(reader.status).or_default() += 1;
        self.body_bytes += reader.body_bytes;
        self.events += reader.events;
        if reader.status != 200 {
            return;
        }
        let wrong = if options.stream && !reader.ends_with_done() {
            Some("no [DONE]")
        } else if options
            .expect_events
            .is_some_and(|events| events != reader.events)
        {
            Some("wrong number of events")
        } else if options
            .expect_bytes
            .is_some_and(|bytes| bytes != reader.body_bytes)
        {
            Some("wrong number of bytes")
        } else {
            None
        };
        if let Some(what) = wrong {
            return self.error(what);
        }
        let since = |at: u64| at.saturating_sub(exchange.intended);
        self.answers += 1;
        self.latency.record(since(now_ns()));
        if exchange.first_event > 0 {
            self.first_event.record(since(exchange.first_event));
        }
        if exchange.first_content > 0 {
            self.first_content.record(since(exchange.first_content));
        }
        exchange
            .event_delays
            .iter()
            .for_each(|delay| self.event_delay.record(*delay));
        if options.rate.is_some() {
            self.start_delay.record(since(exchange.started));
        }
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
