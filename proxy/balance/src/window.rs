//! Two counters over the last ten seconds.

use crate::time::Time;

/// Buckets of one second; one more than the span, so that a whole span is always covered and a limit errs towards refusing.
const BUCKETS: usize = 11;

/// Sliding counts, in constant space.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    buckets: [(u32, u32); BUCKETS],
    newest: u64,
}

impl Window {
    /// Adds to the counters at a moment.
    pub(crate) fn add(&mut self, now: Time, first: u32, second: u32) {
        self.turn(now);
        let bucket = &mut self.buckets[(self.newest % BUCKETS as u64) as usize];
        bucket.0 = bucket.0.saturating_add(first);
        bucket.1 = bucket.1.saturating_add(second);
    }

    /// Takes back one count of the second counter, where there is one.
    pub(crate) fn take_back_second(&mut self, now: Time) {
        self.turn(now);
        if let Some(bucket) = self.buckets.iter_mut().find(|bucket| bucket.1 > 0) {
            bucket.1 -= 1;
        }
    }

    /// Both sums.
    pub(crate) fn sums(&mut self, now: Time) -> (u64, u64) {
        self.turn(now);
        self.buckets.iter().fold((0, 0), |sum, bucket| {
            (sum.0 + u64::from(bucket.0), sum.1 + u64::from(bucket.1))
        })
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.buckets = Default::default();
    }

    fn turn(&mut self, now: Time) {
        let second = now.as_nanos() / 1_000_000_000;
        let passed = second.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 1..=passed {
            self.buckets[((self.newest + step) % BUCKETS as u64) as usize] = (0, 0);
        }
        // A jump of more than the buckets clears them all, whatever their positions.
        self.newest = self.newest.max(second);
    }
}

#[cfg(test)]
mod tests {
    use super::Window;
    use crate::time::Time;

    #[test]
    fn counts_leave_after_ten_seconds() {
        let mut window = Window::default();
        window.add(Time::from_millis(500), 2, 1);
        window.add(Time::from_millis(9_900), 1, 0);
        assert_eq!(window.sums(Time::from_millis(10_400)), (3, 1));
        assert_eq!(window.sums(Time::from_millis(11_900)), (1, 0));
        assert_eq!(window.sums(Time::from_millis(99_000)), (0, 0));
        window.add(Time::from_millis(1_000_000), 5, 5);
        assert_eq!(window.sums(Time::from_millis(1_000_000)), (5, 5));
    }

    #[test]
    fn a_charge_can_be_taken_back() {
        let mut window = Window::default();
        window.add(Time::ZERO, 0, 1);
        window.take_back_second(Time::from_millis(3_000));
        assert_eq!(window.sums(Time::from_millis(3_000)), (0, 0));
    }
}
