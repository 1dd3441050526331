//! How often one object's status is written: five writes at once, then one per ten seconds. What waits is written together.
//!
//! A start or a recovery is many small changes within a second or two: keys prove good one after the other, pods begin to report. Written
//! one by one they would use up the bucket, and the key that is refused next would not show for ten seconds. So a change waits a moment
//! for its like, as long as people do not mind; and of the five writes some are kept back for what matters more.

use std::time::Duration;

use super::Change;
use crate::moment::Monotonic;

const SIZE: i64 = 5;
const REFILL: Duration = Duration::from_secs(10);

impl Change {
    /// Writes that such a change leaves for those that matter more.
    const fn leaves(self) -> i64 {
        match self {
            Self::None | Self::Urgent | Self::Reply => 0,
            Self::Transition => 1,
            Self::Detail => 2,
        }
    }

    /// How long such a change waits for others. The urgent ones too: a refusal and its confirmation are a tenth of a second apart; and
    /// most often a new value proves good within the second.
    const fn gathers(self) -> Duration {
        match self {
            Self::None | Self::Urgent => Duration::from_millis(150),
            Self::Reply | Self::Transition | Self::Detail => Duration::from_secs(1),
        }
    }
}

/// The writes that one object has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bucket {
    left: i64,
    /// When `left` was right.
    at: Monotonic,
    /// Since when there is something to write.
    waiting: Option<Monotonic>,
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
        Self {
            left: SIZE,
            at: now,
            waiting: None,
        }
    }

    /// Asks for a write of a change.
    pub fn ask(&mut self, change: Change, now: Monotonic) -> Permit {
        if change == Change::None {
            self.waiting = None;
            return Permit::Nothing;
        }
        let gathered = *self.waiting.get_or_insert(now) + change.gathers();
        if now < gathered {
            return Permit::At(gathered);
        }
        self.refill(now);
        let needed = 1 + change.leaves();
        if self.left >= needed {
            self.left -= 1;
            self.waiting = None;
            return Permit::Now;
        }
        let wait = REFILL * u32::try_from(needed - self.left).unwrap_or(u32::MAX);
        Permit::At(self.at + wait)
    }

    /// Whether there was something to write at the last asking that is not written yet.
    pub fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Takes back a write that failed.
    pub fn give_back(&mut self) {
        self.left = (self.left + 1).min(SIZE);
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

    /// Asks again and again for a change that came in second `now`; says in which second it is written.
    fn written(bucket: &mut Bucket, change: Change, now: i64) -> i64 {
        let mut now = at(now);
        loop {
            match bucket.ask(change, now) {
                Permit::Now => return now.0 / 1000,
                Permit::At(later) => {
                    assert!(now < later);
                    now = later;
                }
                Permit::Nothing => panic!("a change is something"),
            }
        }
    }

    #[test]
    fn five_at_once_then_one_per_ten_seconds() {
        let mut bucket = Bucket::new(at(0));
        for _ in 0..5 {
            assert_eq!(written(&mut bucket, Change::Urgent, 0), 0);
        }
        assert_eq!(written(&mut bucket, Change::Urgent, 3), 10);
        assert_eq!(written(&mut bucket, Change::Urgent, 19), 20);
        assert_eq!(bucket.ask(Change::None, at(21)), Permit::Nothing);
    }

    #[test]
    fn what_matters_less_leaves_writes_for_what_matters_more() {
        let mut bucket = Bucket::new(at(0));
        for _ in 0..3 {
            assert_eq!(written(&mut bucket, Change::Detail, 0), 1);
        }
        let mut details = bucket;
        assert_eq!(written(&mut details, Change::Detail, 2), 11);
        assert_eq!(written(&mut bucket, Change::Transition, 2), 3);
        let mut transitions = bucket;
        assert_eq!(written(&mut transitions, Change::Transition, 4), 11);
        assert_eq!(written(&mut bucket, Change::Urgent, 4), 4);
        assert_eq!(written(&mut bucket, Change::Urgent, 6), 11);
    }

    #[test]
    fn what_comes_together_is_written_together_and_none_waits_for_more_than_its_moment() {
        let mut bucket = Bucket::new(at(0));
        let moments = (0..10).map(|tenth| Monotonic(tenth * 100));
        let permits: Vec<Permit> = moments.map(|now| bucket.ask(Change::Transition, now)).collect();
        assert_eq!(permits, vec![Permit::At(at(1)); 10]);
        assert_eq!(bucket.ask(Change::Transition, at(1)), Permit::Now);
        // A worse one among the waiting takes them along.
        assert_eq!(bucket.ask(Change::Detail, at(2)), Permit::At(at(3)));
        assert_eq!(bucket.ask(Change::Urgent, Monotonic(2200)), Permit::Now);
        assert_eq!(bucket.ask(Change::None, Monotonic(2300)), Permit::Nothing);
        assert_eq!(bucket.ask(Change::Detail, at(4)), Permit::At(at(5)));
    }

    #[test]
    fn a_write_that_failed_costs_nothing() {
        let mut bucket = Bucket::new(at(0));
        for _ in 0..20 {
            assert_eq!(written(&mut bucket, Change::Urgent, 0), 0);
            bucket.give_back();
        }
    }

    #[test]
    fn over_any_time_no_more_is_written_than_the_bucket_gives() {
        let mut bucket = Bucket::new(at(0));
        let writes = (0..10_000).filter(|tenth| {
            let now = Monotonic(tenth * 100);
            let change = if tenth % 3 == 0 {
                Change::Urgent
            } else {
                Change::Detail
            };
            bucket.ask(change, now) == Permit::Now
        });
        assert_eq!(writes.count(), 5 + 99);
    }
}
