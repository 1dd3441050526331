//! What the fleets' pods know about every provider's keys, merged.
//!
//! Rules. Everything belongs to one ModelProvider, by UID, and to one value, by fingerprint: two providers share nothing. A pod is
//! believed only about what stands in its own document. A verdict outlives its pod: it holds until its deadline, a refutation
//! that names it, or the end of its fingerprint; silence changes nothing. Where several verdicts speak of one thing, the latest
//! deadline holds, so what is known does not depend on the order in which pods are heard. Verdicts that a new leader takes from the stored
//! status bear the instance `status`; the first pod that still knows the verdict itself replaces them.
//!
//! The ledger knows no clock: [`Moment`] is an argument everywhere.

use std::collections::{BTreeMap, BTreeSet};

use keypool_contract::document::{Fingerprint, ProviderUid};

use crate::moment::Monotonic;

mod advise;
mod endpoint;
mod receive;
mod record;
mod scope;
mod seed;
mod standing;

pub use advise::Advisories;
pub use receive::Received;
pub use record::Held;
pub use scope::DocumentScope;
pub use seed::SEEDED_INSTANCE;
pub use standing::{Hold, Proof, Standing, Unproven};

use record::ProviderRecord;

/// The merged knowledge of one leader.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    providers: BTreeMap<ProviderUid, ProviderRecord>,
    /// Last sequence number received of every instance.
    received: BTreeMap<String, u64>,
}

impl Ledger {
    /// The sequence number to confirm to a pod's instance; 0 for one that was never heard.
    pub fn confirmed(&self, instance: &str) -> u64 {
        self.received.get(instance).copied().unwrap_or_default()
    }

    /// Forgets what no object needs any more: providers that are gone, and values that no credential has. A provider whose
    /// value of some credential is only away for a moment is left alone by giving `None` for it.
    pub fn keep(&mut self, providers: &BTreeMap<ProviderUid, Option<BTreeSet<Fingerprint>>>) {
        self.providers.retain(|uid, record| match providers.get(uid) {
            None => false,
            Some(None) => true,
            Some(Some(fingerprints)) => {
                record
                    .keys
                    .retain(|fingerprint, _| fingerprints.contains(fingerprint));
                true
            }
        });
    }

    /// Forgets instances that are gone, but none of their verdicts.
    pub fn keep_instances(&mut self, live: &BTreeSet<String>) {
        self.received.retain(|instance, _| live.contains(instance));
        for provider in self.providers.values_mut() {
            provider.endpoint.keep_instances(live);
        }
    }

    /// When what is known about a provider next changes by itself; none when it does not.
    pub fn next_change(&self, provider: &str, now: Monotonic) -> Option<Monotonic> {
        let record = self.providers.get(provider)?;
        let keys = record.keys.values().filter_map(|key| key.next_change(now));
        keys.chain(record.endpoint.next_change(now)).min()
    }
}

#[cfg(test)]
pub(crate) mod tests;
