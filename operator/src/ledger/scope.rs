//! What a pod's document holds: what the pod may speak about, and what it is told about.

use std::collections::{BTreeMap, BTreeSet};

use keypool_contract::Document;
use keypool_contract::document::{Fingerprint, ProviderUid};
use keypool_contract::exchange::FirstValidation;

/// The providers of one document with their values' names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DocumentScope {
    providers: BTreeMap<ProviderUid, BTreeMap<Fingerprint, Option<String>>>,
    /// Values that a pod may ask the provider about: the validation call is on, a member uses the provider, and the value takes part.
    validated: BTreeSet<FirstValidation>,
}

impl DocumentScope {
    /// Reads it off a document.
    pub fn of(document: &Document) -> Self {
        let providers = document.content.providers.iter().map(|(uid, provider)| {
            let credentials = provider.credentials.iter();
            let values = credentials
                .map(|c| (c.fingerprint.clone(), c.quota_group.clone()))
                .collect();
            (uid.clone(), values)
        });
        Self {
            providers: providers.collect(),
            validated: validated(document).collect(),
        }
    }

    /// The values that a pod may ask their provider about.
    pub fn validated(&self) -> impl Iterator<Item = &FirstValidation> {
        self.validated.iter()
    }

    /// Whether the provider is in it.
    pub fn has_provider(&self, provider: &str) -> bool {
        self.providers.contains_key(provider)
    }

    /// Whether the provider is in it with that value.
    pub fn has(&self, provider: &str, fingerprint: &str) -> bool {
        self.providers
            .get(provider)
            .is_some_and(|values| values.contains_key(fingerprint))
    }

    /// Whether every value of the other is in it.
    pub fn covers(&self, other: &Self) -> bool {
        let values = other.providers.iter();
        values
            .flat_map(|(uid, values)| values.keys().map(move |fingerprint| (uid, fingerprint)))
            .all(|(uid, fingerprint)| self.has(uid, fingerprint))
    }

    /// The UIDs of its providers.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderUid> {
        self.providers.keys()
    }

    /// The values that share a limit with this one, itself included.
    pub(super) fn mates<'a>(&'a self, provider: &str, fingerprint: &'a str) -> Vec<&'a str> {
        let values = self.providers.get(provider);
        let group = values
            .and_then(|values| values.get(fingerprint))
            .and_then(Option::as_deref);
        match (values, group) {
            (Some(values), Some(group)) => values
                .iter()
                .filter(|(_, of)| of.as_deref() == Some(group))
                .map(|(fingerprint, _)| fingerprint.as_str())
                .collect(),
            _ => vec![fingerprint],
        }
    }
}

fn validated(document: &Document) -> impl Iterator<Item = FirstValidation> {
    let members = document.content.groups.iter().flat_map(|group| &group.members);
    let used: BTreeSet<&ProviderUid> = members.map(|member| &member.provider).collect();
    let providers = document.content.providers.iter();
    let asked = providers.filter(move |(uid, provider)| provider.probe.enabled && used.contains(uid));
    asked.flat_map(|(uid, provider)| {
        let part = provider.credentials.iter().filter(|c| c.enabled && c.weight > 0);
        part.map(|credential| FirstValidation {
            provider: uid.clone(),
            fingerprint: credential.fingerprint.clone(),
        })
    })
}
