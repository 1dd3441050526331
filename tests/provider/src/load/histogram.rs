//! Latencies in buckets that grow with the value: 64 per doubling, so a percentile is right to 1.6 %.

use serde::{Deserialize, Serialize};

const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;

/// Counts of nanosecond values.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    max: u64,
}

/// The usual cuts through a histogram, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Percentiles {
    pub count: u64,
    pub mean_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, ns: u64) {
        let index = index(ns);
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] += 1;
        self.count += 1;
        self.sum += u128::from(ns);
        self.max = self.max.max(ns);
    }

    /// Adds another histogram's counts.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// The value that `part` (0 to 1) of the values do not exceed.
    pub fn percentile(&self, part: f64) -> u64 {
        let wanted = (part * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(index).min(self.max);
            }
        }
        self.max
    }

    /// The usual cuts.
    pub fn percentiles(&self) -> Percentiles {
        let us = |ns: u64| ns as f64 / 1000.0;
        Percentiles {
            count: self.count,
            mean_us: if self.count == 0 {
                0.0
            } else {
                self.sum as f64 / self.count as f64 / 1000.0
            },
            p50_us: us(self.percentile(0.5)),
            p90_us: us(self.percentile(0.9)),
            p99_us: us(self.percentile(0.99)),
            p999_us: us(self.percentile(0.999)),
            max_us: us(self.max),
        }
    }
}

fn index(value: u64) -> usize {
    if value < SUB {
        return value as usize;
    }
    let shift = value.ilog2() - SUB_BITS;
    ((u64::from(shift) + 1) * SUB + (value >> shift) - SUB) as usize
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let (shift, sub) = (index / SUB - 1, index % SUB);
    ((SUB + sub + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_in_its_bucket_and_buckets_are_narrow() {
        for value in (0..10_000).chain([1 << 20, 123_456_789, 98_765_432_101]) {
            let top = upper(index(value));
            assert!(top >= value && top - value <= value / 64 + 1, "{value} {top}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let (mut low, mut high) = (Histogram::default(), Histogram::default());
        (1..=500).for_each(|us| low.record(us * 1000));
        (501..=1000).for_each(|us| high.record(us * 1000));
        low.add(&high);
        let cuts = low.percentiles();
        for (got, expected) in [
            (cuts.p50_us, 500.0),
            (cuts.p99_us, 990.0),
            (cuts.max_us, 1000.0),
            (cuts.mean_us, 500.5),
        ] {
            assert!((got - expected).abs() / expected < 0.02, "{got} {expected}");
        }
        assert_eq!(Histogram::default().percentiles(), Percentiles::default());
    }
}
