//! The record of one client request: what was tried, and what of its allowances is used up.

use crate::balancer::Ticket;
use crate::ids::{KeyId, LaneId, ProviderId, Tick};
use crate::observation::Observation;
use crate::time::Time;

/// Carried through a request's attempts; made when it arrives.
#[derive(Clone, Debug)]
pub struct Attempts {
    pub(crate) arrived: Time,
    pub(crate) tried: Vec<Tried>,
    /// Providers that failed this request; it goes elsewhere while there is another.
    pub(crate) failed: Vec<ProviderId>,
    pub(crate) provider_faults: u32,
    /// Refusals since, and with, the first one that the request itself may have caused.
    pub(crate) doubtful: u32,
    /// The first refusal that the request itself may have caused; no second one may cool a key.
    pub(crate) doubt: Option<Doubt>,
    /// Where it was larger than a key's limit.
    pub(crate) too_big: Vec<LaneId>,
    /// Who shares such a limit.
    pub(crate) same_limit: Vec<(LaneId, KeyId)>,
    pub(crate) repeated: bool,
    pub(crate) trials: u32,
    /// The provider whose retry budget the next attempt is charged to.
    pub(crate) charged: Option<ProviderId>,
}

/// One target that was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried {
    pub(crate) lane: LaneId,
    pub(crate) key: KeyId,
    /// The provider failed, not the key: the same target may serve again when there is no other.
    pub(crate) again: bool,
    /// It refused the request, which may itself be the cause, so that nothing needs to rest; sent again before, it is refused again.
    pub(crate) back: Option<Time>,
}

/// A refusal that the request itself may have caused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt {
    pub(crate) ticket: Ticket,
    pub(crate) observation: Observation,
    /// When it came.
    pub(crate) known: Tick,
    /// The same as a time.
    pub(crate) at: Time,
    /// Whether it cooled the key.
    pub(crate) believed: bool,
}

impl Attempts {
    /// A request that arrived at this moment.
    pub fn new(arrived: Time) -> Self {
        Self {
            arrived,
            tried: Vec::new(),
            failed: Vec::new(),
            provider_faults: 0,
            doubtful: 0,
            doubt: None,
            too_big: Vec::new(),
            same_limit: Vec::new(),
            repeated: false,
            trials: 0,
            charged: None,
        }
    }

    /// The latest attempt on a target.
    pub(crate) fn last(&mut self, lane: LaneId, key: KeyId) -> Option<&mut Tried> {
        self.tried
            .iter_mut()
            .rev()
            .find(|tried| tried.lane == lane && tried.key == key)
    }

    /// How many attempts were started.
    pub fn count(&self) -> usize {
        self.tried.len()
    }
}
