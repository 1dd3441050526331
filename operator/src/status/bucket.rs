//! How often one object's status is written: five writes at once, then one per ten seconds. What waits is written together.
//!
//! Two writes are kept back for transitions: a change of numbers must not make a person wait for a state.

use std::time::Duration;

use super::Change;
use crate::moment::Monotonic;

const SIZE: i64 = 5;
const KEPT_FOR_TRANSITIONS: i64 = 2;
const REFILL: Duration = Duration::from_secs(10);

/// The writes that one object has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bucket {
    left: i64,
    /// When `left` was right.
    at: Monotonic,
}

/// Whether to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Permit {
    /// There is nothing to write.
    Nothing,
    /// Now; the bucket has paid for it.
    Now,
    /// At that time, with whatever has come together until then.
    At(Monotonic),
}

impl Bucket {
    /// A full one.
    pub fn new(now: Monotonic) -> Self {
        Self { left: SIZE, at: now }
    }

    /// Asks for a write of a change.
    pub fn ask(&mut self, change: Change, now: Monotonic) -> Permit {
        let needed = match change {
            Change::None => return Permit::Nothing,
            Change::Detail => 1 + KEPT_FOR_TRANSITIONS,
            Change::Transition => 1,
        };
        self.refill(now);
        if self.left >= needed {
            self.left -= 1;
            return Permit::Now;
        }
        let wait = REFILL * u32::try_from(needed - self.left).unwrap_or(u32::MAX);
        Permit::At(self.at + wait)
    }

    fn refill(&mut self, now: Monotonic) {
        let refill = i64::try_from(REFILL.as_millis()).unwrap_or(i64::MAX);
        let earned = (now.0.saturating_sub(self.at.0)).max(0) / refill;
        self.left = (self.left + earned).min(SIZE);
        self.at = if self.left == SIZE {
            now.max(self.at)
        } else {
            Monotonic(self.at.0 + earned * refill)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Monotonic {
        Monotonic(seconds * 1000)
    }

    #[test]
    fn five_at_once_then_one_per_ten_seconds() {
        let mut bucket = Bucket::new(at(0));
        for _ in 0..5 {
            assert_eq!(bucket.ask(Change::Transition, at(0)), Permit::Now);
        }
        assert_eq!(bucket.ask(Change::Transition, at(3)), Permit::At(at(10)));
        assert_eq!(bucket.ask(Change::Transition, at(10)), Permit::Now);
        assert_eq!(bucket.ask(Change::Transition, at(19)), Permit::At(at(20)));
        assert_eq!(bucket.ask(Change::None, at(19)), Permit::Nothing);
    }

    #[test]
    fn details_leave_two_writes_for_transitions() {
        let mut bucket = Bucket::new(at(0));
        for _ in 0..3 {
            assert_eq!(bucket.ask(Change::Detail, at(0)), Permit::Now);
        }
        assert_eq!(bucket.ask(Change::Detail, at(0)), Permit::At(at(10)));
        assert_eq!(bucket.ask(Change::Transition, at(0)), Permit::Now);
        assert_eq!(bucket.ask(Change::Transition, at(0)), Permit::Now);
        assert_eq!(bucket.ask(Change::Transition, at(0)), Permit::At(at(10)));
    }

    #[test]
    fn over_any_time_no_more_is_written_than_the_bucket_gives() {
        let mut bucket = Bucket::new(at(0));
        let writes = (0..10_000).filter(|tenth| {
            let now = Monotonic(tenth * 100);
            let change = if tenth % 3 == 0 {
                Change::Transition
            } else {
                Change::Detail
            };
            bucket.ask(change, now) == Permit::Now
        });
        assert_eq!(writes.count(), 5 + 99);
    }

    #[test]
    fn the_time_that_is_given_is_kept() {
        let mut bucket = Bucket::new(at(0));
        let mut now = at(0);
        for _ in 0..20 {
            match bucket.ask(Change::Detail, now) {
                Permit::Now => {}
                Permit::At(later) => {
                    assert!(now < later);
                    now = later;
                    assert_eq!(bucket.ask(Change::Detail, now), Permit::Now);
                }
                Permit::Nothing => panic!("a change is something"),
            }
        }
    }
}
