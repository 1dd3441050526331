//! A configuration and what was learned under the one before, put together.
//!
//! What belongs to a (provider UID, fingerprint) moves on; a new value starts fresh. A quota group takes over what stood against the
//! groups that its values were in, so that naming a group, renaming or dissolving it loses nothing and a value that leaves takes nothing away.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, CredentialConfig, ProviderConfig};
use crate::gate::Gate;
use crate::ids::{KeyId, LaneId, ProviderId};
use crate::key::Key;
use crate::lane::{Candidate, Lane};
use crate::provider::{Credential, Provider, Quota, QuotaName, RestAt};
use crate::rest::{Phase, Rest};
use crate::time::Time;

mod check;
mod groups;

pub(crate) use check::check;
pub(crate) use groups::groups;

/// Numbers for things that are new.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}

/// Lays out every provider.
pub(crate) fn providers(
    config: &Config,
    old: Vec<Provider>,
    numbers: &mut Numbers,
    now: Time,
) -> Vec<Provider> {
    let mut old: BTreeMap<Arc<str>, Provider> = old
        .into_iter()
        .map(|provider| (Arc::clone(&provider.config.uid), provider))
        .collect();
    let members = || config.groups.iter().flat_map(|group| &group.members);
    let lay = |provider: &ProviderConfig| {
        let models = members().filter(|m| m.provider == provider.uid).map(|m| &m.model);
        lay_provider(provider, models, old.remove(&provider.uid), numbers, now)
    };
    config.providers.iter().map(lay).collect()
}

fn lay_provider<'a>(
    config: &ProviderConfig,
    used: impl Iterator<Item = &'a Arc<str>>,
    old: Option<Provider>,
    numbers: &mut Numbers,
    now: Time,
) -> Provider {
    let mut old = old.unwrap_or_else(|| Provider::empty(ProviderId(numbers.next()), config.clone()));
    let (mut lanes, moved) = lay_lanes(used, &mut old, numbers);
    let mut keys: Vec<Key> = Vec::new();
    let mut quotas: Vec<Quota> = Vec::new();
    let mut credentials = Vec::new();
    for credential in &config.credentials {
        let key = keys
            .iter()
            .position(|key| key.fingerprint == credential.fingerprint)
            .unwrap_or_else(|| {
                keys.push(take_key(&mut old, &credential.fingerprint, &moved, numbers));
                keys.len() - 1
            });
        let name = QuotaName::of(credential);
        let quota = quotas
            .iter()
            .position(|quota| quota.name == name)
            .unwrap_or_else(|| {
                quotas.push(Quota {
                    name,
                    whole: Rest::default(),
                    models: Vec::new(),
                });
                quotas.len() - 1
            });
        credentials.push(Credential { key, quota });
    }
    for (index, quota) in quotas.iter_mut().enumerate() {
        let values: Vec<&Arc<str>> = credentials
            .iter()
            .filter(|c| c.quota == index)
            .filter_map(|c| Some(&keys.get(c.key)?.fingerprint))
            .collect();
        inherit(quota, &values, &old, &moved, now);
    }
    for lane in &mut lanes {
        lay_candidates(lane, config, &credentials);
    }
    Provider {
        config: config.clone(),
        keys,
        quotas,
        credentials,
        lanes,
        ..old
    }
}

/// Lanes in use, and those about which something is remembered; with the new place of each old one.
fn lay_lanes<'a>(
    used: impl Iterator<Item = &'a Arc<str>>,
    old: &mut Provider,
    numbers: &mut Numbers,
) -> (Vec<Lane>, Vec<Option<usize>>) {
    // What only waits for a trial is not worth a lane that nobody uses: models come and go for a process's whole life.
    let mut remembered: Vec<bool> = old
        .lanes
        .iter()
        .map(|lane| lane.breaker.open_until().is_some())
        .collect();
    let resting = |at: &RestAt| matches!(old.rest(*at).map(Rest::phase), Some(Phase::Resting { .. }));
    let rests: Vec<usize> = old.rests().filter(resting).filter_map(RestAt::lane).collect();
    for lane in rests {
        if let Some(remembered) = remembered.get_mut(lane) {
            *remembered = true;
        }
    }
    let mut used: Vec<&Arc<str>> = used.collect();
    used.sort();
    used.dedup();
    let mut lanes = Vec::new();
    let moved = std::mem::take(&mut old.lanes)
        .into_iter()
        .zip(remembered)
        .map(|(mut lane, remembered)| {
            lane.in_use = used.contains(&&lane.model);
            (lane.in_use || remembered).then(|| {
                lanes.push(lane);
                lanes.len() - 1
            })
        })
        .collect();
    for model in used {
        if !lanes.iter().any(|lane| lane.model == *model) {
            let mut lane = Lane::new(LaneId(numbers.next()), Arc::clone(model));
            lane.in_use = true;
            lanes.push(lane);
        }
    }
    (lanes, moved)
}

fn lay_candidates(lane: &mut Lane, config: &ProviderConfig, credentials: &[Credential]) {
    let serves = |credential: &CredentialConfig| {
        let model = credential.models.is_empty() || credential.models.contains(&lane.model);
        credential.enabled && credential.weight > 0 && model
    };
    let mut candidates: Vec<(u32, Candidate)> = config
        .credentials
        .iter()
        .zip(credentials)
        .enumerate()
        .filter(|(_, (credential, _))| serves(credential))
        .map(|(index, (credential, place))| {
            let weight = credential.weight;
            (
                credential.priority,
                Candidate {
                    credential: index,
                    key: place.key,
                    weight,
                    gate: Gate::Block,
                },
            )
        })
        .collect();
    candidates.sort_by_key(|(priority, _)| *priority);
    lane.tiers.clear();
    let mut start = 0;
    for same in candidates.chunk_by(|a, b| a.0 == b.0) {
        lane.tiers.push(start..start + same.len());
        start += same.len();
    }
    lane.candidates = candidates.into_iter().map(|(_, candidate)| candidate).collect();
    lane.stale = true;
}

fn take_key(
    old: &mut Provider,
    fingerprint: &Arc<str>,
    moved: &[Option<usize>],
    numbers: &mut Numbers,
) -> Key {
    match old.keys.iter().find(|key| key.fingerprint == *fingerprint) {
        Some(key) => {
            let mut key = key.clone();
            key.models = move_models(&key.models, moved);
            key
        }
        None => Key::new(KeyId(numbers.next()), Arc::clone(fingerprint)),
    }
}

fn move_models(models: &[(usize, Rest)], moved: &[Option<usize>]) -> Vec<(usize, Rest)> {
    let place = |lane: usize| moved.get(lane).copied().flatten();
    models
        .iter()
        .filter_map(|(lane, rest)| Some((place(*lane)?, rest.clone())))
        .collect()
}

/// What stood against the old groups of a new group's values stands against it.
fn inherit(quota: &mut Quota, values: &[&Arc<str>], old: &Provider, moved: &[Option<usize>], now: Time) {
    let held = |credential: &&Credential| {
        old.keys
            .get(credential.key)
            .is_some_and(|key| values.contains(&&key.fingerprint))
    };
    let mut sources: Vec<usize> = old
        .credentials
        .iter()
        .filter(held)
        .map(|credential| credential.quota)
        .collect();
    sources.sort_unstable();
    sources.dedup();
    for source in sources.into_iter().filter_map(|source| old.quotas.get(source)) {
        quota.whole.merge(&source.whole, now);
        for (lane, rest) in move_models(&source.models, moved) {
            match quota.models.iter_mut().find(|(known, _)| *known == lane) {
                Some((_, known)) => known.merge(&rest, now),
                None => quota.models.push((lane, rest)),
            }
        }
    }
    let heir = values.first();
    let rests = quota
        .models
        .iter_mut()
        .map(|(_, rest)| rest)
        .chain(std::iter::once(&mut quota.whole));
    for rest in rests {
        let orphan = rest.own.as_ref().is_some_and(|own| !values.contains(&&own.by));
        if let Some(heir) = heir.filter(|_| orphan) {
            rest.attribute(heir);
        }
    }
}

impl QuotaName {
    fn of(credential: &CredentialConfig) -> Self {
        match &credential.quota_group {
            Some(name) => Self::Named(Arc::clone(name)),
            None => Self::Value(Arc::clone(&credential.fingerprint)),
        }
    }
}

impl Provider {
    fn empty(id: ProviderId, config: ProviderConfig) -> Self {
        Self {
            id,
            config,
            keys: Vec::new(),
            quotas: Vec::new(),
            credentials: Vec::new(),
            lanes: Vec::new(),
            breaker: Default::default(),
            endpoint: Default::default(),
            budget: Default::default(),
        }
    }
}
