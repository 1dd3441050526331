//! What a pod says, taken into the ledger.

use std::collections::BTreeSet;
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
            }
        }
        if response.snapshot {
            self.drop_what_a_snapshot_lacks(scope, response, now.monotonic, &mut received);
        }
        let last = self.received.entry(response.instance.clone()).or_default();
        *last = response.sequence.max(*last);
        received
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
        let before = self.clone();
        let learned = now - Duration::from_millis(verdict.age_ms);
        match &verdict.finding {
            Finding::Proven { fingerprint } => self.prove(fingerprint, snapshot, learned),
            Finding::NotVerifiable { fingerprint } => {
                self.keys.entry(fingerprint.clone()).or_default().not_verifiable = true;
            }
            Finding::Cooling {
                scope: what,
                reason,
                remaining_ms,
            } => {
                let end = now + Duration::from_millis(*remaining_ms);
                self.hold(verdict, Held::Cooling(*reason), what, Some(end), scope, now);
            }
            Finding::Exhausted {
                scope: what,
                remaining_ms,
            } => {
                let end = now + Duration::from_millis(*remaining_ms);
                self.hold(verdict, Held::Exhausted, what, Some(end), scope, now);
            }
            Finding::Invalid { fingerprint } => {
                let what = Scope {
                    fingerprint: fingerprint.clone(),
                    quota_group: false,
                    model: None,
                };
                self.hold(verdict, Held::Invalid, &what, None, scope, now);
            }
            Finding::Refuted { verdicts } => self.refute(verdicts, scope, &verdict.provider, learned, now),
            Finding::Endpoint { state } => self.endpoint.say(&verdict.id.instance, *state, learned),
        }
        *self != before
    }

    /// A proof clears nothing, but for one case: what a new leader believes from the stored status is cleared by a pod that says in
    /// its snapshot that it proved the value later.
    fn prove(&mut self, fingerprint: &str, snapshot: bool, learned: Monotonic) {
        let key = self.keys.entry(fingerprint.to_owned()).or_default();
        key.prove(learned);
        if snapshot {
            key.holdings
                .retain(|id, holding| id.instance != SEEDED_INSTANCE || holding.learned >= learned);
        }
    }

    fn hold(
        &mut self,
        verdict: &Verdict,
        held: Held,
        what: &Scope,
        deadline: Option<Monotonic>,
        scope: &DocumentScope,
        now: Monotonic,
    ) {
        if self.refuted.contains_key(&verdict.id) {
            return;
        }
        let holding = Holding {
            held,
            model: what.model.clone(),
            quota_group: what.quota_group,
            learned: now - Duration::from_millis(verdict.age_ms),
            deadline,
        };
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
        // An id names one verdict for good: what is repeated is the same, only told later.
        key.holdings.entry(verdict.id.clone()).or_insert(holding);
        key.trim(now);
    }

    fn refute(
        &mut self,
        verdicts: &[VerdictId],
        scope: &DocumentScope,
        provider: &str,
        learned: Monotonic,
        now: Monotonic,
    ) {
        self.refuted.retain(|_, until| now < *until);
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
                }
                None => {}
            }
            // The verdict itself may still come: from its maker, to a leader that has heard the refutation first.
            if self.refuted.len() < REFUTED_AT_MOST {
                self.refuted.entry(id.clone()).or_insert(now + REFUTED_KEPT);
            }
        }
    }
}
