//! The operator's one clock. Decisions get its readings as arguments.

use std::time::Instant;

use jiff::Timestamp;

use crate::moment::{Moment, Monotonic};

/// A monotonic clock that began with the process, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock {
    /// Now, on both.
    pub fn now(self) -> Moment {
        let since = i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX);
        Moment {
            monotonic: Monotonic(since),
            wall: Timestamp::now(),
        }
    }
}
