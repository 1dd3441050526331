//! Delays with a distribution, drawn from a seed so that a run can be repeated.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::mix;

/// How long something takes. A plain number is milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Latency {
    /// Always the same, in milliseconds.
    Fixed(f64),
    /// A distribution.
    Drawn(Distribution),
}

/// Where a delay is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Distribution {
    /// Each value between the bounds alike.
    Uniform {
        /// Lower bound.
        min_ms: f64,
        /// Upper bound.
        max_ms: f64,
    },
    /// Exponential, capped at ten times the mean.
    Exponential {
        /// Mean.
        mean_ms: f64,
    },
}

impl Default for Latency {
    fn default() -> Self {
        Self::Fixed(0.0)
    }
}

impl Latency {
    /// A fixed number of milliseconds.
    pub fn millis(ms: u64) -> Self {
        Self::Fixed(ms as f64)
    }

    /// Whether it never waits.
    pub fn is_zero(&self) -> bool {
        matches!(self, Self::Fixed(ms) if *ms <= 0.0)
    }

    /// The `n`th draw for this seed.
    pub fn draw(&self, seed: u64, n: u64) -> Duration {
        let unit = (mix(seed ^ mix(n)) >> 11) as f64 / (1u64 << 53) as f64;
        let ms = match *self {
            Self::Fixed(ms) => ms,
            Self::Drawn(Distribution::Uniform { min_ms, max_ms }) => min_ms + unit * (max_ms - min_ms),
            Self::Drawn(Distribution::Exponential { mean_ms }) => (-(1.0 - unit).ln()).min(10.0) * mean_ms,
        };
        Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_the_mean_is_right() {
        let exponential = Latency::Drawn(Distribution::Exponential { mean_ms: 10.0 });
        let mean: f64 = (0..10_000)
            .map(|n| exponential.draw(1, n).as_secs_f64())
            .sum::<f64>()
            / 10_000.0;
        assert!((mean - 0.010).abs() < 0.0005, "{mean}");
        assert_eq!(exponential.draw(1, 5), exponential.draw(1, 5));
        assert_ne!(exponential.draw(1, 5), exponential.draw(2, 5));
    }

    #[test]
    fn uniform_stays_in_bounds_and_nonsense_is_no_wait() {
        let uniform = Latency::Drawn(Distribution::Uniform {
            min_ms: 2.0,
            max_ms: 3.0,
        });
        for n in 0..1000 {
            let drawn = uniform.draw(0, n).as_secs_f64();
            assert!((0.002..=0.003).contains(&drawn));
        }
        assert_eq!(Latency::Fixed(-5.0).draw(0, 0), Duration::ZERO);
    }
}
