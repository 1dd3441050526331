//! What a pod says, taken into the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keypool_contract::exchange::ExchangeResponse;
use keypool_contract::verdict::{Finding, Scope, Verdict, VerdictId};

use super::Ledger;
use super::record::{Held, Holding, ProviderRecord};
use super::scope::DocumentScope;
use super::seed::{SEEDED_INSTANCE, replaces_seed};
use crate::moment::{Moment, Monotonic};

/// How long a refuted verdict is remembered.
const REFUTED_KEPT: Duration = Duration::from_secs(3600);
/// And how many of one provider at most.
const REFUTED_AT_MOST: usize = 4_096;

/// What an answer changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// Providers about which something new is known.
    pub changed: BTreeSet<String>,
    /// Whether that may concern what pods are told. How an endpoint answers, each sees for itself.
    pub briefs: bool,
    /// Verdicts that were dropped: about what is not in the pod's document, or in another pod's name.
    pub dropped: usize,
}

impl Ledger {
    /// Takes in a pod's answer. `scope` is what the pod's document holds. Taking an answer in twice changes nothing.
    pub fn receive(&mut self, scope: &DocumentScope, response: &ExchangeResponse, now: Moment) -> Received {
        let mut received = Received::default();
        for verdict in &response.verdicts {
            if verdict.id.instance != response.instance || !in_scope(verdict, scope) {
                received.dropped += 1;
                continue;
            }
            let record = self.providers.entry(verdict.provider.clone()).or_default();
            if record.take_in(verdict, scope, response.snapshot, now.monotonic) {
                received.changed.insert(verdict.provider.clone());
                received.briefs |= !matches!(verdict.finding, Finding::Endpoint { .. });
            }
        }
        if response.snapshot {
            self.drop_what_a_snapshot_lacks(scope, response, now.monotonic, &mut received);
        }
        let last = self.received.entry(response.instance.clone()).or_default();
        *last = response.sequence.max(*last);
        received
    }

    /// A person wants rests to end: forgets the verdicts about a provider that hold where `concerns` says so of a value, and of whether its
    /// quota group is meant. Their makers may be gone, and pods to come are not told of them.
    pub fn clear_cooldown(&mut self, provider: &str, concerns: impl Fn(&str, bool) -> bool, now: Monotonic) {
        let Some(ProviderRecord { keys, refuted, .. }) = self.providers.get_mut(provider) else {
            return;
        };
        for (fingerprint, key) in keys {
            let concerned: Vec<VerdictId> = key
                .holdings
                .iter()
                .filter(|(_, holding)| holding.is_told(now) && concerns(fingerprint, holding.quota_group))
                .map(|(id, _)| id.clone())
                .collect();
            for id in concerned {
                key.clear(&id, now);
                remember(refuted, id, now);
            }
        }
    }

    /// A snapshot is everything that the pod holds: a verdict of its own that is not in it was cleared by its maker.
    fn drop_what_a_snapshot_lacks(
        &mut self,
        scope: &DocumentScope,
        response: &ExchangeResponse,
        now: Monotonic,
        received: &mut Received,
    ) {
        let told: BTreeSet<&VerdictId> = response.verdicts.iter().map(|verdict| &verdict.id).collect();
        for (uid, record) in &mut self.providers {
            if !scope.has_provider(uid) {
                continue;
            }
            for (fingerprint, key) in &mut record.keys {
                if !scope.has(uid, fingerprint) {
                    continue;
                }
                let lacking: Vec<VerdictId> = key
                    .holdings
                    .iter()
                    .filter(|(id, holding)| id.instance == response.instance && holding.holds(now))
                    .filter(|(id, _)| !told.contains(id))
                    .map(|(id, _)| id.clone())
                    .collect();
                for id in lacking {
                    key.clear(&id, now);
                    received.changed.insert(uid.clone());
                    received.briefs = true;
                }
            }
        }
    }
}

fn in_scope(verdict: &Verdict, scope: &DocumentScope) -> bool {
    let fingerprint = match &verdict.finding {
        Finding::Proven { fingerprint }
        | Finding::NotVerifiable { fingerprint }
        | Finding::Invalid { fingerprint } => fingerprint,
        Finding::Cooling { scope, .. } | Finding::Exhausted { scope, .. } => &scope.fingerprint,
        Finding::Refuted { .. } | Finding::Endpoint { .. } => return scope.has_provider(&verdict.provider),
    };
    scope.has(&verdict.provider, fingerprint)
}

impl ProviderRecord {
    /// Whether the verdict changed anything.
    fn take_in(&mut self, verdict: &Verdict, scope: &DocumentScope, snapshot: bool, now: Monotonic) -> bool {
        let learned = now - Duration::from_millis(verdict.age_ms);
        let end = |remaining_ms: u64| Some(now + Duration::from_millis(remaining_ms));
        let (held, what, deadline, soft) = match &verdict.finding {
            Finding::Proven { fingerprint } => return self.prove(fingerprint, snapshot, learned),
            Finding::NotVerifiable { fingerprint } => {
                let key = self.keys.entry(fingerprint.clone()).or_default();
                return !std::mem::replace(&mut key.not_verifiable, true);
            }
            Finding::Refuted { verdicts } => {
                return self.refute(verdicts, scope, &verdict.provider, learned, now);
            }
            Finding::Endpoint { state } => {
                return self.endpoint.say(&verdict.id.instance, *state, learned, now);
            }
            Finding::Cooling {
                scope: what,
                reason,
                remaining_ms,
                soft,
            } => (Held::Cooling(*reason), what.clone(), end(*remaining_ms), *soft),
            Finding::Exhausted {
                scope: what,
                remaining_ms,
            } => (Held::Exhausted, what.clone(), end(*remaining_ms), false),
            Finding::Invalid { fingerprint } => (Held::Invalid, whole(fingerprint), None, false),
        };
        let holding = Holding {
            held,
            model: what.model.clone(),
            quota_group: what.quota_group,
            learned,
            deadline,
            soft,
        };
        self.hold(verdict, holding, &what, scope, now)
    }

    /// A proof clears nothing, but for one case: what a new leader believes from the stored status is cleared by a pod that says in
    /// its snapshot that it proved the value later.
    fn prove(&mut self, fingerprint: &str, snapshot: bool, learned: Monotonic) -> bool {
        let key = self.keys.entry(fingerprint.to_owned()).or_default();
        let before = (key.proven, key.holdings.len());
        key.prove(learned);
        if snapshot {
            key.holdings
                .retain(|id, holding| id.instance != SEEDED_INSTANCE || holding.learned >= learned);
        }
        before != (key.proven, key.holdings.len())
    }

    fn hold(
        &mut self,
        verdict: &Verdict,
        holding: Holding,
        what: &Scope,
        scope: &DocumentScope,
        now: Monotonic,
    ) -> bool {
        // An id names one verdict for good: what is repeated is the same, only told later.
        let known = self
            .keys
            .get(&what.fingerprint)
            .is_some_and(|key| key.holdings.contains_key(&verdict.id));
        if known || self.refuted.contains_key(&verdict.id) {
            return false;
        }
        let mates = if what.quota_group {
            scope.mates(&verdict.provider, &what.fingerprint)
        } else {
            vec![what.fingerprint.as_str()]
        };
        for mate in mates {
            if let Some(key) = self.keys.get_mut(mate) {
                key.holdings
                    .retain(|id, old| id.instance != SEEDED_INSTANCE || !replaces_seed(&holding, old));
            }
        }
        let key = self.keys.entry(what.fingerprint.clone()).or_default();
        key.holdings.insert(verdict.id.clone(), holding);
        key.trim(now);
        true
    }

    fn refute(
        &mut self,
        verdicts: &[VerdictId],
        scope: &DocumentScope,
        provider: &str,
        learned: Monotonic,
        now: Monotonic,
    ) -> bool {
        self.refuted.retain(|_, until| now < *until);
        let mut cleared = false;
        for id in verdicts {
            let holder = self
                .keys
                .iter_mut()
                .find(|(_, key)| key.holdings.contains_key(id));
            match holder {
                Some((fingerprint, _)) if !scope.has(provider, fingerprint) => continue,
                Some((_, key)) => {
                    key.holdings.remove(id);
                    key.prove(learned);
                    cleared = true;
                }
                None => {}
            }
            // The verdict itself may still come: from its maker, to a leader that has heard the refutation first.
            remember(&mut self.refuted, id.clone(), now);
        }
        cleared
    }
}

fn remember(refuted: &mut BTreeMap<VerdictId, Monotonic>, id: VerdictId, now: Monotonic) {
    if refuted.len() < REFUTED_AT_MOST {
        refuted.entry(id).or_insert(now + REFUTED_KEPT);
    }
}

fn whole(fingerprint: &str) -> Scope {
    Scope {
        fingerprint: fingerprint.to_owned(),
        quota_group: false,
        model: None,
    }
}
