//! How one value stands: what is known for it and against it.

use std::collections::BTreeMap;
use std::time::Duration;

use keypool_contract::exchange::FirstValidation;
use keypool_contract::verdict::EndpointState;

use super::record::{Held, Holding, KeyRecord};
use super::{DocumentScope, Ledger};
use crate::moment::Monotonic;

/// What speaks for a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// Nothing yet.
    None,
    /// The provider's validation call says nothing about it.
    NotVerifiable,
    /// A success or a probe.
    Proven {
        /// When.
        at: Monotonic,
    },
    /// It rested, and the rest is over.
    CooldownOver {
        /// When it ended.
        at: Monotonic,
    },
}

/// What is known for a value that nothing has proven.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unproven {
    /// No pod has told anything.
    Untold,
    /// The provider's validation call cannot tell.
    NotVerifiable,
}

/// What speaks against a value, for one model or for all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hold {
    /// The upstream model; none for all.
    pub model: Option<String>,
    /// What is the matter.
    pub held: Held,
    /// Since when.
    pub since: Monotonic,
    /// Until when; none without an end of its own.
    pub until: Option<Monotonic>,
    /// How long the rest was to last in all.
    pub length: Duration,
}

/// How one value stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    /// What speaks for it.
    pub proof: Proof,
    /// What speaks against it: at most one for all models, and one per model.
    pub holds: Vec<Hold>,
}

impl Ledger {
    /// How a value stands. `mates` are all values of its quota group; what one of them met for the whole group counts.
    pub fn standing(&self, provider: &str, fingerprint: &str, mates: &[&str], now: Monotonic) -> Standing {
        let record = self.providers.get(provider);
        let key = |name: &str| record.and_then(|record| record.keys.get(name));
        let own = key(fingerprint);
        let own_holdings = own.into_iter().flat_map(|key| key.holdings.values());
        let shared = mates
            .iter()
            .filter(|mate| **mate != fingerprint)
            .filter_map(|mate| key(mate))
            .flat_map(|key| key.holdings.values())
            .filter(|holding| holding.quota_group);
        let mut by_model: BTreeMap<Option<&str>, Hold> = BTreeMap::new();
        for holding in own_holdings.chain(shared).filter(|holding| holding.is_told(now)) {
            let new = hold(holding);
            by_model
                .entry(holding.model.as_deref())
                .and_modify(|old| *old = worse(old, &new))
                .or_insert(new);
        }
        Standing {
            proof: own.map_or(Proof::None, |key| proof(key, now)),
            holds: by_model.into_values().collect(),
        }
    }

    /// The values of a document that may be asked about and that nothing has proven. One that rests is not asked about.
    pub fn unproven(&self, scope: &DocumentScope, now: Monotonic) -> BTreeMap<FirstValidation, Unproven> {
        let standing = |key: &FirstValidation| {
            let mates = scope.mates(&key.provider, &key.fingerprint);
            let standing = self.standing(&key.provider, &key.fingerprint, &mates, now);
            let unproven = match standing.proof {
                Proof::None => Unproven::Untold,
                Proof::NotVerifiable => Unproven::NotVerifiable,
                Proof::Proven { .. } | Proof::CooldownOver { .. } => return None,
            };
            let rests = standing.holds.iter().any(|hold| hold.model.is_none());
            (!rests).then(|| (key.clone(), unproven))
        };
        scope.validated().filter_map(standing).collect()
    }

    /// How the endpoint answers; none when no pod ever said.
    pub fn endpoint(&self, provider: &str, now: Monotonic) -> Option<EndpointState> {
        self.providers.get(provider)?.endpoint.state(now)
    }
}

fn hold(holding: &Holding) -> Hold {
    Hold {
        model: holding.model.clone(),
        held: holding.held,
        since: holding.learned,
        until: holding.deadline,
        length: holding.length(),
    }
}

/// The graver of two, with the latest end; of equals, what has held longest tells since when.
fn worse(a: &Hold, b: &Hold) -> Hold {
    let rank = |hold: &Hold| match hold.held {
        Held::Cooling(_) => 0,
        Held::Exhausted => 1,
        Held::Invalid => 2,
    };
    let key = |hold: &Hold| (rank(hold), hold.until, hold.length, hold.held);
    let (worse, other) = if key(a) >= key(b) { (a, b) } else { (b, a) };
    let since = if worse.held.same_kind(other.held) {
        a.since.min(b.since)
    } else {
        worse.since
    };
    Hold {
        since,
        ..worse.clone()
    }
}

fn proof(key: &KeyRecord, now: Monotonic) -> Proof {
    match (key.proven, key.last_ended(now)) {
        (Some(at), None) => Proof::Proven { at },
        (Some(at), Some(ended)) if at > ended => Proof::Proven { at },
        (_, Some(ended)) => Proof::CooldownOver { at: ended },
        (None, None) if key.not_verifiable => Proof::NotVerifiable,
        (None, None) => Proof::None,
    }
}
