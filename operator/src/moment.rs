//! Now, as an argument.
//!
//! Deadlines live on a monotonic clock, because a wall clock jumps; people read wall time. Pure code gets both at once and
//! never asks for either.

use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::Timestamp;

/// A point on the operator's monotonic clock, in milliseconds. It may lie before the process began: a verdict is older than its
/// reader.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Monotonic(pub i64);

impl Monotonic {
    /// Time since an earlier point; zero when that point is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Milliseconds until a later point; zero when it has passed.
    pub fn until_ms(self, later: Self) -> u64 {
        u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0)
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Monotonic {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(ms(duration)))
    }
}

impl Sub<Duration> for Monotonic {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(ms(duration)))
    }
}

/// One instant on both clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// For deadlines and ages.
    pub monotonic: Monotonic,
    /// For what people read.
    pub wall: Timestamp,
}

impl Moment {
    /// This instant's later self, on both clocks.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self {
            monotonic: self.monotonic + duration,
            wall: self.wall_of(self.monotonic + duration),
        }
    }

    /// The wall time of a monotonic point, seen from now.
    pub fn wall_of(self, point: Monotonic) -> Timestamp {
        let offset = point.0.saturating_sub(self.monotonic.0);
        let wall = self.wall.as_millisecond().saturating_add(offset);
        Timestamp::from_millisecond(wall).unwrap_or(if offset < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// The monotonic point of a wall time, seen from now.
    pub fn monotonic_of(self, wall: Timestamp) -> Monotonic {
        let offset = wall.as_millisecond().saturating_sub(self.wall.as_millisecond());
        Monotonic(self.monotonic.0.saturating_add(offset))
    }
}

/// A time as statuses hold it: whole seconds.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// A time rounded up to ten seconds: how `until` is shown, so that it does not change with every look.
pub(crate) fn up_to_ten_seconds(time: Timestamp) -> Timestamp {
    let ms = time.as_millisecond();
    let tens = ms.div_euclid(10_000) + i64::from(ms.rem_euclid(10_000) > 0);
    Timestamp::from_second(tens.saturating_mul(10)).unwrap_or(time)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A moment at 2026-11-20T10:41:07Z plus some seconds; the monotonic clock began a minute before.
    pub(crate) fn at(seconds: i64) -> Moment {
        let base: Timestamp = "2026-11-20T10:41:07Z".parse().unwrap();
        Moment {
            monotonic: Monotonic((60 + seconds) * 1000),
            wall: Timestamp::from_second(base.as_second() + seconds).unwrap(),
        }
    }

    #[test]
    fn both_clocks_tell_the_same_distance() {
        let now = at(0);
        assert_eq!(now.wall_of(now.monotonic + Duration::from_secs(5)), at(5).wall);
        assert_eq!(now.monotonic_of(at(-90).wall), at(-90).monotonic);
        assert_eq!(now.after(Duration::from_secs(7)), at(7));
        assert_eq!(at(3).monotonic.since(at(9).monotonic), Duration::ZERO);
    }

    #[test]
    fn until_is_rounded_up_and_a_round_time_stays() {
        for (time, want) in [
            ("2026-11-20T10:41:07Z", "2026-11-20T10:41:10Z"),
            ("2026-11-20T10:41:10Z", "2026-11-20T10:41:10Z"),
            ("2026-11-20T10:41:10.001Z", "2026-11-20T10:41:20Z"),
        ] {
            assert_eq!(
                up_to_ten_seconds(time.parse().unwrap()),
                want.parse().unwrap(),
                "{time}"
            );
        }
    }
}
