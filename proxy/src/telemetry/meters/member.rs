//! Handles of a member and its credentials.

use std::sync::{Arc, OnceLock};

use keypool_dialect::usage::Usage;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use crate::runtime::Member;
use crate::telemetry::labels::{AttemptLabels, LatencyLabels, OPERATIONS, Outcome, TokenLabels};
use crate::telemetry::metrics::{Metrics, handle};

const OPERATION_COUNT: usize = OPERATIONS.len();
const DIRECTIONS: [&str; 3] = ["input", "output", "cached"];

/// Handles of a member.
pub(crate) struct MemberMeters {
    metrics: Arc<Metrics>,
    group: Box<str>,
    durations: [OnceLock<Histogram>; OPERATION_COUNT],
    first_events: [OnceLock<Histogram>; OPERATION_COUNT],
    tokens: [OnceLock<Counter>; DIRECTIONS.len()],
    /// By credential and outcome.
    attempts: Vec<[OnceLock<Counter>; Outcome::COUNT]>,
}

impl MemberMeters {
    pub(crate) fn new(metrics: Arc<Metrics>, group: &str, credentials: usize) -> Self {
        let outcomes = || std::array::from_fn(|_| OnceLock::new());
        Self {
            metrics,
            group: group.into(),
            durations: Default::default(),
            first_events: Default::default(),
            tokens: Default::default(),
            attempts: std::iter::repeat_with(outcomes).take(credentials).collect(),
        }
    }

    pub(in crate::telemetry) fn count_attempt(&self, member: &Member, credential: usize, outcome: Outcome) {
        let counter = || handle(&self.metrics.attempts, &self.attempt(member, credential, outcome));
        let kept = self
            .attempts
            .get(credential)
            .and_then(|kept| kept.get(outcome.index()));
        if let Some(kept) = kept {
            kept.get_or_init(counter).inc();
        }
    }

    pub(in crate::telemetry) fn duration(&self, member: &Member, operation: usize) -> &Histogram {
        self.durations[operation]
            .get_or_init(|| handle(&self.metrics.durations, &self.latency(member, operation)))
    }

    pub(in crate::telemetry) fn first_event(&self, member: &Member, operation: usize) -> &Histogram {
        self.first_events[operation]
            .get_or_init(|| handle(&self.metrics.first_events, &self.latency(member, operation)))
    }

    pub(in crate::telemetry) fn count_tokens(&self, member: &Member, usage: Usage) {
        let counts = [usage.input, usage.output, usage.cached];
        for ((kept, direction), count) in self.tokens.iter().zip(DIRECTIONS).zip(counts) {
            if count > 0 {
                kept.get_or_init(|| handle(&self.metrics.tokens, &self.token(member, direction)))
                    .inc_by(count);
            }
        }
    }

    /// Ends the series of a member that is gone.
    pub(in crate::telemetry) fn forget(&self, member: &Member) {
        for operation in 0..OPERATION_COUNT {
            let labels = self.latency(member, operation);
            self.metrics.durations.remove(&labels);
            self.metrics.first_events.remove(&labels);
        }
        for direction in DIRECTIONS {
            self.metrics.tokens.remove(&self.token(member, direction));
        }
        for credential in 0..self.attempts.len() {
            self.forget_credential(member, credential);
        }
    }

    /// Ends the series of a credential that is gone.
    pub(in crate::telemetry) fn forget_credential(&self, member: &Member, credential: usize) {
        for outcome in Outcome::all() {
            self.metrics
                .attempts
                .remove(&self.attempt(member, credential, outcome));
        }
    }

    fn latency(&self, member: &Member, operation: usize) -> LatencyLabels {
        LatencyLabels {
            group: self.group.to_string(),
            member: member.name.to_string(),
            operation: OPERATIONS[operation],
        }
    }

    fn token(&self, member: &Member, direction: &'static str) -> TokenLabels {
        TokenLabels {
            group: self.group.to_string(),
            member: member.name.to_string(),
            direction,
        }
    }

    fn attempt(&self, member: &Member, credential: usize, outcome: Outcome) -> AttemptLabels {
        let credential = member.provider.credentials.get(credential);
        AttemptLabels {
            group: self.group.to_string(),
            member: member.name.to_string(),
            credential: credential.map_or_else(String::new, |credential| credential.name.to_string()),
            outcome: outcome.name(),
        }
    }
}

impl std::fmt::Debug for MemberMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemberMeters")
    }
}
