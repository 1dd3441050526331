//! Whether something lets a request through now.

use crate::ids::Tick;
use crate::time::Time;

/// What stands at the door of a cooldown or a breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Gate {
    /// Open; `slow` halvings of the weight are still to be taken back after a rest (0 = none).
    Pass { slow: u8 },
    /// Open for one trial.
    Trial,
    /// Closed.
    Block,
}

impl Gate {
    pub(crate) const OPEN: Self = Self::Pass { slow: 0 };

    /// Both doors in a row.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Block, _) | (_, Self::Block) => Self::Block,
            (Self::Trial, _) | (_, Self::Trial) => Self::Trial,
            (Self::Pass { slow: a }, Self::Pass { slow: b }) => Self::Pass { slow: a.max(b) },
        }
    }
}

/// The right to the one trial, held by an attempt until it is settled or the lease ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lease {
    pub(crate) holder: Tick,
    pub(crate) until: Time,
}
