//! A bucket that fills evenly over its window; time is given, never read.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    at: Duration,
}

impl Bucket {
    pub(super) fn full(capacity: u64, window: Duration, now: Duration) -> Self {
        let capacity = capacity as f64;
        Self {
            capacity,
            per_second: capacity / window.as_secs_f64().max(0.001),
            level: capacity,
            at: now,
        }
    }

    pub(super) fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + passed * self.per_second).min(self.capacity);
        self.at = self.at.max(now);
    }

    /// How long until `amount` is there; nothing when it is there already. The small allowance keeps a caller that waits
    /// exactly as long as it was told from being refused for a rounding error.
    pub(super) fn wait_for(&self, amount: u64) -> Option<Duration> {
        let missing = amount as f64 - self.level;
        if missing <= 1e-6 {
            return None;
        }
        Some(Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::MAX))
    }

    pub(super) fn take(&mut self, amount: u64) {
        self.level -= amount as f64;
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity as u64
    }

    pub(super) fn remaining(&self) -> u64 {
        self.level.max(0.0) as u64
    }

    pub(super) fn until_full(&self) -> Duration {
        Duration::try_from_secs_f64((self.capacity - self.level) / self.per_second).unwrap_or_default()
    }
}
