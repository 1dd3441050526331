//! A new leader takes over what the stored status knows, so that nothing changes because the leader did.

use std::time::Duration;

use keypool_contract::verdict::{CoolingReason, VerdictId};
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus};

use super::Ledger;
use super::record::{Held, Holding, KeyRecord};
use crate::moment::{Moment, Monotonic};

/// The instance of verdicts that come from the stored status.
pub const SEEDED_INSTANCE: &str = "status";

/// `until` is rounded up to ten seconds; a second more for clocks and travel.
const ROUNDING: Duration = Duration::from_secs(11);

/// Whether a pod's own verdict is the one that the status told of, or a later one. Otherwise the rounded end would hold longer than
/// the true one.
pub(super) fn replaces_seed(live: &Holding, seeded: &Holding) -> bool {
    let later = match (live.deadline, seeded.deadline) {
        (Some(live), Some(seeded)) => live + ROUNDING >= seeded,
        _ => true,
    };
    live.held.same_kind(seeded.held) && live.model == seeded.model && later
}

impl Ledger {
    /// Takes over one provider's stored keys. Only those whose fingerprint is still that of a value are believed: the caller passes
    /// `current`, which tells it.
    pub fn seed(&mut self, provider: &str, keys: &[KeyStatus], current: impl Fn(&str) -> bool, now: Moment) {
        for status in keys {
            let Some(fingerprint) = status.fingerprint.as_deref().filter(|f| current(f)) else {
                continue;
            };
            let record = self.providers.entry(provider.to_owned()).or_default();
            let key = record.keys.entry(fingerprint.to_owned()).or_default();
            seed_key(key, status, &mut self.seeds, now);
        }
    }
}

fn seed_key(key: &mut KeyRecord, status: &KeyStatus, seeds: &mut u64, now: Moment) {
    let since = status
        .since
        .as_ref()
        .map_or(now.monotonic, |time| now.monotonic_of(time.0));
    match (status.state, status.reason) {
        (KeyState::Healthy, KeyReason::CooldownOver) => key.cooled = key.cooled.max(Some(since)),
        (KeyState::Healthy, _) => key.prove(since),
        (KeyState::Unknown, KeyReason::NotVerifiable) => key.not_verifiable = true,
        _ => {}
    }
    let mut hold = |state, reason, until: Option<Monotonic>, model: Option<&str>| {
        let Some(held) = held(state, reason) else { return };
        let holding = Holding {
            held,
            model: model.map(str::to_owned),
            quota_group: false,
            learned: since,
            deadline: if held == Held::Invalid {
                None
            } else {
                Some(until.unwrap_or(now.monotonic))
            },
        };
        if key.holdings.values().any(|live| replaces_seed(live, &holding)) {
            return;
        }
        *seeds += 1;
        let id = VerdictId {
            instance: SEEDED_INSTANCE.into(),
            sequence: *seeds,
        };
        key.holdings.insert(id, holding);
    };
    let point = |time: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Time| now.monotonic_of(time.0);
    // A whole key that rests because each of its models does is told by its models.
    if status.models.is_empty() {
        hold(
            status.state,
            status.reason,
            status.until.as_ref().map(point),
            None,
        );
    }
    for model in &status.models {
        hold(
            model.state,
            model.reason,
            model.until.as_ref().map(point),
            Some(&model.name),
        );
    }
}

fn held(state: KeyState, reason: KeyReason) -> Option<Held> {
    match state {
        KeyState::Invalid => Some(Held::Invalid),
        KeyState::Exhausted => Some(Held::Exhausted),
        KeyState::CoolingDown => Some(Held::Cooling(match reason {
            KeyReason::Overloaded => CoolingReason::Overloaded,
            KeyReason::Refused => CoolingReason::Refused,
            KeyReason::ProviderFault => CoolingReason::ProviderFault,
            _ => CoolingReason::RateLimited,
        })),
        KeyState::Unknown
        | KeyState::Healthy
        | KeyState::Missing
        | KeyState::Malformed
        | KeyState::Disabled => None,
    }
}
