//! Why nothing can serve, with what an honest answer needs.

use std::time::Duration;

use keypool_balance::NoTarget;

/// No target is usable for a request now.
#[derive(Clone, Debug)]
pub struct Unavailable {
    /// Distinct credentials of the eligible members, each under one cause.
    pub why: NoTarget,
    /// From now until the first of them may be back; none when waiting cannot help.
    pub earliest: Option<Duration>,
    /// Attempts that this request made before.
    pub attempts: usize,
}

impl Unavailable {
    /// There is nothing to choose from at all: no document, or the group is gone from the newest one.
    pub(super) fn nothing() -> Self {
        Self {
            why: NoTarget::default(),
            earliest: None,
            attempts: 0,
        }
    }
}
