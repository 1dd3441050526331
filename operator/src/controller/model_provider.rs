//! ModelProvider: from spec and fetched objects to a validated provider, and from what proxies learned to its status.

use std::collections::BTreeSet;

use keypool_contract::document::{Cooldown, Fingerprint, Header, Probe, Timeouts};
use keypool_contract::{ProviderType, Secret};
use keypool_crds::v1alpha1::shared::SecretKeyRef;

use crate::conditions::Check;
use crate::identity::ANONYMOUS;
use crate::install::ObjectId;
use crate::moment::Monotonic;
use crate::reference::{RefsCheck, Refusal};

pub mod health;
pub mod reconcile;
pub mod status;
pub mod validate;
pub mod wish;

pub use health::{KeyHealth, ModelHealth, ProviderHealth, ProviderUse, Reporters};
pub use validate::url::Url;

/// A provider that can be served, with what is known against parts of it.
#[derive(Clone, Debug)]
pub struct ValidatedProvider {
    /// Which object.
    pub id: ObjectId,
    /// `metadata.generation` from which this was made.
    pub generation: i64,
    /// The protocol it speaks.
    pub provider_type: ProviderType,
    /// Where it is.
    pub url: Url,
    /// Private authorities; none for the public ones. While they do not resolve, the provider is not served: the public
    /// authorities are no substitute.
    pub ca_bundle: Result<Option<String>, Refusal>,
    /// Fixed headers.
    pub headers: Vec<Header>,
    /// All credentials of the spec, or the implicit one.
    pub credentials: Vec<ValidatedCredential>,
    /// The free validation call.
    pub probe: Probe,
    /// How long a limited key rests.
    pub cooldown: Cooldown,
    /// How long each part of an exchange may take.
    pub timeouts: Timeouts,
    /// The condition `Accepted`: True, or False for something that does not keep it from being served.
    pub accepted: Check,
    /// The condition `ResolvedRefs`.
    pub resolved_refs: RefsCheck,
}

/// One credential.
#[derive(Clone, Debug)]
pub struct ValidatedCredential {
    /// Name within the provider.
    pub name: String,
    /// Where the value comes from; none for the implicit credential.
    pub source: Option<SecretKeyRef>,
    /// The value, or why there is none.
    pub value: Value,
    /// 0..=1000.
    pub weight: u32,
    /// 0..=1000, lower first.
    pub priority: u32,
    /// False when the user switched it off.
    pub enabled: bool,
    /// The vendor's shared limit.
    pub quota_group: Option<String>,
    /// Upstream models; empty for all.
    pub models: Vec<String>,
    /// Fixed headers.
    pub headers: Vec<Header>,
}

/// The value of a credential.
#[derive(Clone, Debug)]
pub enum Value {
    /// A key.
    Key {
        /// Its bytes.
        secret: Secret,
        /// Their name.
        fingerprint: Fingerprint,
    },
    /// No key is sent.
    Anonymous,
    /// The reference does not resolve.
    Refused(Refusal),
}

impl Value {
    /// The value's name; none without a value.
    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Key { fingerprint, .. } => Some(fingerprint),
            Self::Anonymous => Some(ANONYMOUS),
            Self::Refused(_) => None,
        }
    }

    /// Why there is no value.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Key { .. } | Self::Anonymous => None,
        }
    }
}

impl ValidatedProvider {
    /// Names of all values, for [`crate::ledger::Ledger::keep`]; none while one of them is away and may come back.
    pub fn fingerprints(&self) -> Option<BTreeSet<Fingerprint>> {
        let away = |c: &ValidatedCredential| c.value.refusal().is_some_and(|r| r.grace_until().is_some());
        if self.credentials.iter().any(away) {
            return None;
        }
        Some(
            self.credentials
                .iter()
                .filter_map(|c| c.value.fingerprint())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// When the validation would say something else with the same objects: the end of a wait for one that is away.
    pub fn validate_again_at(&self) -> Option<Monotonic> {
        let keys = self.credentials.iter().filter_map(|c| c.value.refusal());
        let refusals = keys.chain(self.ca_bundle.as_ref().err());
        refusals.filter_map(Refusal::grace_until).min()
    }
}

impl ValidatedCredential {
    /// Whether the user lets it take requests.
    pub fn active(&self) -> bool {
        self.enabled && self.weight > 0
    }

    /// Whether it may be used for a model.
    pub fn serves(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|m| m == model)
    }
}

/// A provider that cannot be served at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidProvider {
    /// Which object.
    pub id: ObjectId,
    /// `metadata.generation`.
    pub generation: i64,
    /// The condition `Accepted`, False.
    pub accepted: Check,
}
