//! Handles that a group and a member hold for their whole life, so that counting costs an atomic and no look-up. A series
//! begins with its first event.

use std::sync::{Arc, OnceLock};

use keypool_dialect::usage::Usage;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::labels::{AttemptLabels, GroupLabels, LatencyLabels, OPERATIONS, Outcome, TokenLabels};
use super::metrics::{Metrics, handle};
use crate::runtime::Member;

const OPERATION_COUNT: usize = OPERATIONS.len();
const DIRECTIONS: [&str; 3] = ["input", "output", "cached"];

/// Handles of a group.
pub(crate) struct GroupMeters {
    pub(super) in_flight: Gauge,
    succeeded: [OnceLock<Counter>; OPERATION_COUNT],
}

/// Handles of a member.
pub(crate) struct MemberMeters {
    metrics: Arc<Metrics>,
    group: Box<str>,
    durations: [OnceLock<Histogram>; OPERATION_COUNT],
    first_events: [OnceLock<Histogram>; OPERATION_COUNT],
    tokens: [OnceLock<Counter>; DIRECTIONS.len()],
    attempts: Vec<[OnceLock<Counter>; Outcome::COUNT]>,
}

impl GroupMeters {
    pub(crate) fn new(metrics: &Metrics, group: &str) -> Self {
        let labels = GroupLabels {
            group: group.to_owned(),
        };
        Self {
            in_flight: handle(&metrics.in_flight, &labels),
            succeeded: Default::default(),
        }
    }

    pub(super) fn requests(&self, metrics: &Metrics, group: &str, operation: usize, status: u16) -> Counter {
        let counter = || metrics.requests_of(group, operation, status);
        match (status, self.succeeded.get(operation)) {
            (200, Some(kept)) => kept.get_or_init(counter).clone(),
            _ => counter(),
        }
    }
}

impl MemberMeters {
    pub(crate) fn new(metrics: Arc<Metrics>, group: &str, credentials: usize) -> Self {
        Self {
            metrics,
            group: group.into(),
            durations: Default::default(),
            first_events: Default::default(),
            tokens: Default::default(),
            attempts: std::iter::repeat_with(|| std::array::from_fn(|_| OnceLock::new()))
                .take(credentials)
                .collect(),
        }
    }

    pub(super) fn attempts(&self, member: &Member, credential: usize, outcome: Outcome) -> Counter {
        let counter = || {
            let credential = member.provider.credentials.get(credential);
            handle(
                &self.metrics.attempts,
                &AttemptLabels {
                    group: self.group.to_string(),
                    member: member.name.to_string(),
                    credential: credential.map_or_else(String::new, |credential| credential.name.to_string()),
                    outcome: outcome.name(),
                },
            )
        };
        match self
            .attempts
            .get(credential)
            .and_then(|kept| kept.get(outcome.index()))
        {
            Some(kept) => kept.get_or_init(counter).clone(),
            None => counter(),
        }
    }

    pub(super) fn duration(&self, member: &Member, operation: usize) -> &Histogram {
        self.durations[operation]
            .get_or_init(|| handle(&self.metrics.durations, &self.latency(member, operation)))
    }

    pub(super) fn first_event(&self, member: &Member, operation: usize) -> &Histogram {
        self.first_events[operation]
            .get_or_init(|| handle(&self.metrics.first_events, &self.latency(member, operation)))
    }

    pub(super) fn used(&self, member: &Member, usage: Usage) {
        let counts = [usage.input, usage.output, usage.cached];
        for ((kept, direction), count) in self.tokens.iter().zip(DIRECTIONS).zip(counts) {
            if count == 0 {
                continue;
            }
            let labels = || TokenLabels {
                group: self.group.to_string(),
                member: member.name.to_string(),
                direction,
            };
            kept.get_or_init(|| handle(&self.metrics.tokens, &labels()))
                .inc_by(count);
        }
    }

    fn latency(&self, member: &Member, operation: usize) -> LatencyLabels {
        LatencyLabels {
            group: self.group.to_string(),
            member: member.name.to_string(),
            operation: OPERATIONS[operation],
        }
    }
}

impl std::fmt::Debug for GroupMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GroupMeters")
    }
}

impl std::fmt::Debug for MemberMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemberMeters")
    }
}
