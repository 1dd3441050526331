//! How a provider stands: every key's state from the spec, its value and the ledger. Pure.
//!
//! Order of what decides: switched off, no value, then the gravest verdict, then what proves the value. A rest of a single model makes
//! the whole key rest only when no model in use is left on it. A rest appears only when at least ten seconds of it remain, and what has
//! appeared stays to its end: a state is written for people.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keypool_contract::verdict::EndpointState;
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeySummary, ModelProviderStatus};

use super::{ValidatedCredential, ValidatedProvider, Value};
use crate::ledger::Ledger;
use crate::moment::{Moment, Monotonic};

mod key;

/// Who uses a provider, and who reports about it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProviderUse {
    /// Names of the groups.
    pub groups: BTreeSet<String>,
    /// Upstream models that their members use through it.
    pub models: BTreeSet<String>,
    /// The proxies of those groups.
    pub reporters: Reporters,
}

/// Proxies that should report and those that do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reporters {
    /// In an exchange with this leader.
    pub ready: usize,
    /// All that run.
    pub total: usize,
    /// Set while it is too early to say: the leader is new, or the last reporter was heard only just now.
    pub settling: bool,
}

impl Reporters {
    /// Nobody reports, and that is no passing moment.
    pub fn silent(&self) -> bool {
        self.ready == 0 && !self.settling
    }
}

/// How a provider stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderHealth {
    /// Every key, in the order of the spec.
    pub keys: Vec<KeyHealth>,
    /// How the endpoint answers; none when no pod ever said.
    pub endpoint: Option<EndpointState>,
    /// When this changes by itself.
    pub next_change: Option<Monotonic>,
}

/// How one key stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyHealth {
    /// Name of the credential.
    pub name: String,
    /// Its state.
    pub state: KeyState,
    /// Why.
    pub reason: KeyReason,
    /// Since when; whole seconds.
    pub since: Timestamp,
    /// Until when, rounded up to ten seconds.
    pub until: Option<Timestamp>,
    /// The value's name.
    pub fingerprint: Option<String>,
    /// The credential's quota group.
    pub quota_group: Option<String>,
    /// Models that are not usable, by name.
    pub models: Vec<ModelHealth>,
    /// The models that it may be used for; empty for all.
    pub serves: Vec<String>,
}

/// One model that is not usable on a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelHealth {
    /// The upstream model.
    pub name: String,
    /// The key's state for it.
    pub state: KeyState,
    /// Why.
    pub reason: KeyReason,
    /// Until when, rounded up to ten seconds.
    pub until: Option<Timestamp>,
}

impl KeyHealth {
    /// Whether it may be used for a model at all.
    pub fn serves(&self, model: &str) -> bool {
        self.serves.is_empty() || self.serves.iter().any(|m| m == model)
    }

    /// Its state for one model.
    pub fn state_for(&self, model: &str) -> KeyState {
        let of_model = self.models.iter().find(|m| m.name == model).map(|m| m.state);
        of_model.filter(|_| self.state.usable()).unwrap_or(self.state)
    }
}

impl ProviderHealth {
    /// The counts.
    pub fn summary(&self) -> KeySummary {
        self.keys.iter().map(|key| key.state).collect()
    }
}

/// How a provider stands now. `old` is its stored status.
pub fn health(
    provider: &ValidatedProvider,
    used: &ProviderUse,
    ledger: &Ledger,
    old: Option<&ModelProviderStatus>,
    now: Moment,
) -> ProviderHealth {
    let old_keys = old.map_or(&[][..], |status| status.keys.as_slice());
    let uid = &provider.id.uid;
    let stored = |name: &str| old_keys.iter().find(|key| key.name == name);
    let named = |credential: &ValidatedCredential| {
        let old = stored(&credential.name);
        fingerprint(credential, old.and_then(|key| key.fingerprint.as_deref()))
    };
    let names: Vec<Option<String>> = provider.credentials.iter().map(named).collect();
    let keys = provider
        .credentials
        .iter()
        .zip(&names)
        .map(|(credential, fingerprint)| {
            let old = stored(&credential.name);
            let mates = mates(provider, &names, credential);
            let standing = fingerprint
                .as_deref()
                .map(|name| ledger.standing(uid, name, &mates, now.monotonic));
            key::health(credential, fingerprint.clone(), standing, used, old, now)
        });
    let waits = [
        ledger.next_change(uid, now.monotonic),
        provider.validate_again_at(),
    ];
    ProviderHealth {
        keys: keys.collect(),
        endpoint: ledger.endpoint(uid, now.monotonic),
        next_change: waits.into_iter().flatten().min(),
    }
}

/// The value's name. One that is away for a moment keeps the name that it had.
fn fingerprint(credential: &ValidatedCredential, old: Option<&str>) -> Option<String> {
    match &credential.value {
        Value::Key { fingerprint, .. } => Some(fingerprint.clone()),
        Value::Anonymous => Some(crate::identity::ANONYMOUS.to_owned()),
        Value::Refused(refusal) => refusal.grace_until().and(old).map(str::to_owned),
    }
}

/// The values of a credential's quota group; `names` are those of all credentials.
fn mates<'a>(
    provider: &ValidatedProvider,
    names: &'a [Option<String>],
    of: &ValidatedCredential,
) -> Vec<&'a str> {
    let Some(group) = &of.quota_group else {
        return Vec::new();
    };
    let in_group = provider
        .credentials
        .iter()
        .zip(names)
        .filter(|(c, _)| c.quota_group.as_ref() == Some(group));
    in_group.filter_map(|(_, name)| name.as_deref()).collect()
}

#[cfg(test)]
mod tests;
