//! Whose first validation is a key's?
//!
//! A call counts against the provider's limits, so of a fleet's pods one asks: the leader names it. The rule:
//!
//! * *alone*: there is no leader, as in local mode. It asks about every key that nothing has proven.
//! * *led*: it asks about what the leader has named for it, at once, and about nothing else. A pod that has not heard its leader yet
//!   has nothing: it waits.
//! * *left*: the leader was silent for [`LEFT_AFTER`], or never named. It goes on with what was named for it. Every other key that
//!   nothing has proven is asked about within an interval: another pod may have proven it long ago, there is nobody to tell, and
//!   requests use it meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use keypool_balance::Time;

use crate::pool::Confirmation;

/// Longer than a change of leaders takes, and than any held poll.
const LEFT_AFTER: Duration = Duration::from_secs(60);

/// Who decides which pod makes a first validation.
#[derive(Debug, Default)]
pub enum Naming {
    /// Nobody: there is no leader.
    #[default]
    Alone,
    /// A leader is to come.
    Awaited {
        /// Since when.
        since: Time,
    },
    /// A leader names.
    Led {
        /// The keys that this pod is to ask about.
        named: HashSet<Confirmation>,
        /// When the leader last spoke.
        heard: Time,
    },
}

/// How soon this pod makes a key's first validation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// At once: nobody else asks.
    Now,
    /// Soon, spread at random: others may ask too.
    Soon,
    /// Within an interval.
    Within,
    /// Not at all: it is another pod's.
    Never,
}

impl Naming {
    /// The leader says what this pod is to ask about; what it named before no longer counts.
    pub fn name(&mut self, named: HashSet<Confirmation>, now: Time) {
        *self = Self::Led { named, heard: now };
    }

    /// The leader speaks. One that has not named, because it is too old for that, does not count.
    pub fn hear(&mut self, now: Time) {
        if let Self::Led { heard, .. } = self {
            *heard = now;
        }
    }

    /// How soon to ask about a key that nothing has proven.
    pub fn turn(&self, key: &Confirmation, now: Time) -> Turn {
        match self {
            Self::Alone => Turn::Soon,
            Self::Led { named, .. } if named.contains(key) => Turn::Now,
            Self::Awaited { .. } | Self::Led { .. } if self.left_in(now).is_some() => Turn::Never,
            Self::Awaited { .. } | Self::Led { .. } => Turn::Within,
        }
    }

    /// How long until the leader has been silent for too long; none when it has, or there is none.
    pub fn left_in(&self, now: Time) -> Option<Duration> {
        let silent_since = match self {
            Self::Alone => return None,
            Self::Awaited { since } => *since,
            Self::Led { heard, .. } => *heard,
        };
        Some(silent_since.after(LEFT_AFTER).since(now)).filter(|wait| !wait.is_zero())
    }
}
