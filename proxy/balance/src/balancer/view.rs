//! Health as people read it. Computed when it is asked for: states are not stored twice.

use super::Balancer;
use crate::config::CredentialConfig;
use crate::health::{CredentialHealth, KeyReason, KeyState, ModelHealth, ProviderHealth};
use crate::key::Proof;
use crate::provider::{Credential, Provider, rests_on_the_way};
use crate::rest::{Kind, Phase, Rest};
use crate::time::Time;

/// What keeps a key from one model.
#[derive(Clone, Copy)]
struct Blocked {
    kind: Kind,
    since: Time,
    until: Time,
}

impl Balancer {
    /// Health of every provider, in the configuration's order, as of the last [`Self::advance`].
    pub fn health(&self) -> Vec<ProviderHealth> {
        self.providers.iter().map(provider_health).collect()
    }
}

fn provider_health(provider: &Provider) -> ProviderHealth {
    let mut endpoint = provider.endpoint.health();
    let used = provider.lanes.iter().filter(|lane| lane.in_use);
    let lanes = used
        .map(|lane| lane.breaker.open_until())
        .collect::<Option<Vec<_>>>();
    let lanes = lanes.and_then(|until| until.into_iter().min());
    endpoint.open_until = provider.breaker.open_until().max(lanes);
    let named = provider.config.credentials.iter().zip(&provider.credentials);
    ProviderHealth {
        uid: provider.config.uid.clone(),
        endpoint,
        credentials: named
            .map(|(config, place)| credential_health(provider, config, *place))
            .collect(),
    }
}

fn credential_health(provider: &Provider, config: &CredentialConfig, place: Credential) -> CredentialHealth {
    let mut health = CredentialHealth {
        name: config.name.clone(),
        fingerprint: config.fingerprint.clone(),
        quota_group: config.quota_group.clone(),
        state: KeyState::Disabled,
        reason: KeyReason::Disabled,
        since: Time::ZERO,
        until: None,
        models: Vec::new(),
    };
    if !config.enabled || config.weight == 0 {
        health.reason = if config.enabled {
            KeyReason::Drained
        } else {
            KeyReason::Disabled
        };
        return health;
    }
    let Some(key) = provider.keys.get(place.key) else {
        return health;
    };
    if key.whole.kind() == Some(Kind::Invalid) {
        health.state = KeyState::Invalid;
        health.reason = KeyReason::RefusedByProvider;
        health.since = key.whole.since().unwrap_or(Time::ZERO);
        return health;
    }
    let mut over: Option<Time> = None;
    let mut free = false;
    let mut blocked = Vec::new();
    let serves = |model| config.models.is_empty() || config.models.contains(model);
    for (index, lane) in provider
        .lanes
        .iter()
        .enumerate()
        .filter(|(_, lane)| lane.in_use && serves(&lane.model))
    {
        let mut worst: Option<Blocked> = None;
        for rest in rests_on_the_way(place.key, place.quota, index)
            .into_iter()
            .filter_map(|at| provider.rest(at))
        {
            match rest.phase() {
                Phase::Resting { until, .. } => worst = Some(heavier(worst, rest, until)),
                Phase::HalfOpen { since, .. } => over = over.max(recovered(key.proof, rest, since)),
                Phase::Clear | Phase::SlowStart { .. } => {}
            }
        }
        match worst {
            Some(worst) => blocked.push((lane.model.clone(), worst)),
            None => free = true,
        }
    }
    if blocked.is_empty() || free {
        let in_use = free || provider.lanes.iter().any(|lane| lane.in_use);
        (health.state, health.reason, health.since) = usable(key.proof, over, in_use);
        health.models = blocked
            .into_iter()
            .map(|(model, blocked)| ModelHealth {
                model,
                state: blocked.state(),
                reason: blocked.reason(),
                until: Some(blocked.until),
            })
            .collect();
        return health;
    }
    // Every model is blocked: the one that comes back first speaks for the key.
    if let Some((_, first)) = blocked.into_iter().min_by_key(|(_, blocked)| blocked.until) {
        health.state = first.state();
        health.reason = first.reason();
        health.since = first.since;
        health.until = Some(first.until);
    }
    health
}

/// A rest that is over makes a key Healthy again where it was known to work; a limit says so too: a vendor counts only keys that it knows.
fn recovered(proof: Proof, rest: &Rest, since: Time) -> Option<Time> {
    let proven = matches!(proof, Proof::Proven { .. });
    (proven || matches!(rest.kind(), Some(Kind::RateLimited | Kind::Credit))).then_some(since)
}

fn usable(proof: Proof, over: Option<Time>, in_use: bool) -> (KeyState, KeyReason, Time) {
    match (over, proof) {
        (Some(since), _) => (KeyState::Healthy, KeyReason::CooldownOver, since),
        (None, Proof::Proven { at, .. }) => (KeyState::Healthy, KeyReason::Proven, at),
        (None, _) if !in_use => (KeyState::Unknown, KeyReason::NotInUse, Time::ZERO),
        (None, Proof::NotVerifiable { at, .. }) => (KeyState::Unknown, KeyReason::NotVerifiable, at),
        (None, Proof::None) => (KeyState::Unknown, KeyReason::NotUsedYet, Time::ZERO),
    }
}

fn heavier(known: Option<Blocked>, rest: &Rest, until: Time) -> Blocked {
    let kind = rest.kind().unwrap_or(Kind::Refused);
    let since = rest.since().unwrap_or(Time::ZERO);
    match known {
        Some(known) => {
            let (kind, since) = if kind > known.kind {
                (kind, since)
            } else {
                (known.kind, known.since)
            };
            Blocked {
                kind,
                since,
                until: known.until.max(until),
            }
        }
        None => Blocked { kind, since, until },
    }
}

impl Blocked {
    fn state(self) -> KeyState {
        match self.kind {
            Kind::RateLimited | Kind::Refused => KeyState::CoolingDown,
            Kind::Credit => KeyState::Exhausted,
            Kind::Invalid => KeyState::Invalid,
        }
    }

    fn reason(self) -> KeyReason {
        match self.kind {
            Kind::RateLimited => KeyReason::RateLimited,
            Kind::Refused => KeyReason::Refused,
            Kind::Credit => KeyReason::CreditExhausted,
            Kind::Invalid => KeyReason::RefusedByProvider,
        }
    }
}
