//! What is known about one provider and one value.

use std::collections::BTreeMap;
use std::time::Duration;

use keypool_contract::document::Fingerprint;
use keypool_contract::verdict::{CoolingReason, VerdictId};

use super::endpoint::EndpointRecord;
use crate::moment::Monotonic;

/// A rest that is shorter than this is not told in a status, and its end neither.
pub(super) const TOLD: Duration = Duration::from_secs(10);
/// After its deadline an exhausted key is tried; until the answer is known, or this long, it still counts as exhausted. Otherwise the
/// state would change twice at every trial.
pub(super) const EXHAUSTED_LINGERS: Duration = Duration::from_secs(60);
/// Ended rests that are remembered per value, for the refutation that may still name them.
const ENDED_KEPT: usize = 8;

/// What a verdict says of a value, from the mildest to the gravest.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Held {
    /// It rests.
    Cooling(CoolingReason),
    /// Credit or plan is used up.
    Exhausted,
    /// Refused, and confirmed.
    Invalid,
}

impl Held {
    /// Whether two say the same, whatever the reason.
    pub(super) fn same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// One verdict that holds or has held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Holding {
    pub(super) held: Held,
    /// The upstream model; none for all.
    pub(super) model: Option<String>,
    /// Whether every value of the quota group is meant.
    pub(super) quota_group: bool,
    pub(super) learned: Monotonic,
    /// None for a verdict without an end of its own.
    pub(super) deadline: Option<Monotonic>,
    /// Whether the deadline was computed, without a vendor's hint.
    pub(super) soft: bool,
}

impl Holding {
    /// Whether a pod that is told must keep it.
    pub(super) fn holds(&self, now: Monotonic) -> bool {
        self.deadline.is_none_or(|deadline| now < deadline)
    }

    /// Until when it is told in a status.
    pub(super) fn told_until(&self) -> Option<Monotonic> {
        let lingers = if self.held == Held::Exhausted {
            EXHAUSTED_LINGERS
        } else {
            Duration::ZERO
        };
        self.deadline.map(|deadline| deadline + lingers)
    }

    pub(super) fn is_told(&self, now: Monotonic) -> bool {
        self.told_until().is_none_or(|end| now < end)
    }

    /// How long it was to last.
    pub(super) fn length(&self) -> Duration {
        self.deadline
            .map_or(Duration::MAX, |deadline| deadline.since(self.learned))
    }
}

/// What is known about one provider.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct ProviderRecord {
    pub(super) keys: BTreeMap<Fingerprint, KeyRecord>,
    pub(super) endpoint: EndpointRecord,
    /// Verdicts that were refuted, until they would have ended or are too old to be heard again.
    pub(super) refuted: BTreeMap<VerdictId, Monotonic>,
}

/// What is known about one value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct KeyRecord {
    /// When a success or a probe last proved it.
    pub(super) proven: Option<Monotonic>,
    /// The provider's validation call says nothing about it.
    pub(super) not_verifiable: bool,
    /// When a rest was over that nothing followed; from the stored status.
    pub(super) cooled: Option<Monotonic>,
    pub(super) holdings: BTreeMap<VerdictId, Holding>,
}

impl KeyRecord {
    pub(super) fn prove(&mut self, learned: Monotonic) {
        self.proven = self.proven.max(Some(learned));
    }

    /// Its maker no longer holds a verdict: a rest is over. Whether the value works is told by a proof.
    pub(super) fn clear(&mut self, id: &VerdictId, now: Monotonic) {
        match self.holdings.remove(id).map(|holding| holding.held) {
            Some(Held::Cooling(_) | Held::Exhausted) => self.cooled = self.cooled.max(Some(now)),
            Some(Held::Invalid) | None => {}
        }
    }

    /// The end of the last rest that is over and was long enough to be told.
    pub(super) fn last_ended(&self, now: Monotonic) -> Option<Monotonic> {
        let ended = self
            .holdings
            .values()
            .filter(|holding| !holding.is_told(now) && holding.length() >= TOLD);
        ended.filter_map(Holding::told_until).max().max(self.cooled)
    }

    pub(super) fn next_change(&self, now: Monotonic) -> Option<Monotonic> {
        self.holdings
            .values()
            .filter_map(Holding::told_until)
            .filter(|end| now < *end)
            .min()
    }

    /// Forgets ended rests but the last few.
    pub(super) fn trim(&mut self, now: Monotonic) {
        let mut ended: Vec<(Option<Monotonic>, VerdictId)> = self
            .holdings
            .iter()
            .filter(|(_, holding)| !holding.is_told(now))
            .map(|(id, holding)| (holding.told_until(), id.clone()))
            .collect();
        if ended.len() > ENDED_KEPT {
            ended.sort();
            for (end, id) in ended.drain(..ended.len() - ENDED_KEPT) {
                self.cooled = self.cooled.max(end);
                self.holdings.remove(&id);
            }
        }
    }
}
