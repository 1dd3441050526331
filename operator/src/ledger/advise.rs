//! What a pod is told of the others' verdicts.

use std::collections::BTreeMap;
use std::time::Duration;

use keypool_contract::verdict::{Advisory, Finding, Scope, VerdictId};

use super::Ledger;
use super::record::{Held, Holding};
use super::scope::DocumentScope;
use crate::moment::{Moment, Monotonic};

/// A shorter rest is over before it has paid to tell of it. The whole rest counts, not what remains: what was told once stays
/// told until its end.
const SHORTEST_REST: Duration = Duration::from_secs(5);
/// Verdicts of one scope that are handed on: the latest to end. A fleet of many pods that all met one limit must not fill
/// every exchange with it.
const PER_SCOPE: usize = 8;
/// Verdicts that one pod is told in all, at some hundred bytes each: its exchange takes a megabyte beside the document, and refuses more.
const AT_MOST: usize = 1_024;

/// The advisories for one pod. Two are equal when they would tell the pod the same.
#[derive(Clone, Debug, Default)]
pub struct Advisories {
    told: BTreeMap<VerdictId, (String, String, Holding)>,
    /// When they were put together.
    at: Monotonic,
}

impl PartialEq for Advisories {
    fn eq(&self, other: &Self) -> bool {
        self.told == other.told
    }
}

impl Eq for Advisories {}

impl Ledger {
    /// What the pod that runs `instance` and serves `scope` should know: AUTH, CREDIT and RATE verdicts of other pods.
    pub fn advisories_for(&self, instance: &str, scope: &DocumentScope, now: Moment) -> Advisories {
        let mut all = Vec::new();
        for uid in scope.providers() {
            let Some(record) = self.providers.get(uid) else {
                continue;
            };
            for (fingerprint, key) in &record.keys {
                if !scope.has(uid, fingerprint) {
                    continue;
                }
                let mut by_scope: BTreeMap<_, Vec<_>> = BTreeMap::new();
                for (id, holding) in &key.holdings {
                    if id.instance != instance && holding.holds(now.monotonic) && worth_telling(holding) {
                        by_scope
                            .entry((&holding.model, holding.quota_group))
                            .or_default()
                            .push((id, holding));
                    }
                }
                for mut verdicts in by_scope.into_values() {
                    verdicts.sort_by_key(|(id, holding)| std::cmp::Reverse((weight(holding), *id)));
                    let told = verdicts.into_iter().take(PER_SCOPE).enumerate();
                    all.extend(told.map(|(place, (id, holding))| (place, id, holding, uid, fingerprint)));
                }
            }
        }
        // Where there are too many, something of every scope comes before more of one.
        all.sort_by_key(|(place, id, holding, ..)| (*place, std::cmp::Reverse((weight(holding), *id))));
        let told = all.into_iter().take(AT_MOST);
        let told = told.map(|(_, id, holding, uid, fingerprint)| {
            (id.clone(), (uid.clone(), fingerprint.clone(), holding.clone()))
        });
        Advisories {
            told: told.collect(),
            at: now.monotonic,
        }
    }
}

/// Gravest and longest first.
fn weight(holding: &Holding) -> (bool, Option<Monotonic>) {
    (holding.deadline.is_none(), holding.deadline)
}

fn worth_telling(holding: &Holding) -> bool {
    match holding.held {
        Held::Invalid | Held::Exhausted => true,
        Held::Cooling(_) => holding.length() >= SHORTEST_REST,
    }
}

impl Advisories {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// How many verdicts are told.
    pub fn len(&self) -> usize {
        self.told.len()
    }

    /// Whether someone who was told `other` knows all of this already: an end that has come by itself is no news, one that came
    /// early is.
    pub fn known_from(&self, other: &Self) -> bool {
        let ended = |holding: &Holding| !holding.holds(self.at);
        self.told
            .iter()
            .all(|(id, told)| other.told.get(id) == Some(told))
            && other
                .told
                .iter()
                .all(|(id, (.., holding))| self.told.contains_key(id) || ended(holding))
    }

    /// As they travel, with the time that remains now.
    pub fn to_wire(&self, now: Moment) -> Vec<Advisory> {
        let advisory =
            |(id, (provider, fingerprint, holding)): (&VerdictId, &(String, String, Holding))| Advisory {
                id: id.clone(),
                provider: provider.clone(),
                finding: finding(fingerprint, holding, now),
            };
        self.told.iter().map(advisory).collect()
    }
}

fn finding(fingerprint: &str, holding: &Holding, now: Moment) -> Finding {
    let scope = Scope {
        fingerprint: fingerprint.to_owned(),
        quota_group: holding.quota_group,
        model: holding.model.clone(),
    };
    let remaining_ms = holding
        .deadline
        .map_or(0, |deadline| now.monotonic.until_ms(deadline));
    match holding.held {
        Held::Invalid => Finding::Invalid {
            fingerprint: fingerprint.to_owned(),
        },
        Held::Exhausted => Finding::Exhausted { scope, remaining_ms },
        Held::Cooling(reason) => Finding::Cooling {
            scope,
            reason,
            remaining_ms,
            soft: holding.soft,
        },
    }
}
