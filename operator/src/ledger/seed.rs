//! A new leader takes over what the stored status knows, so that nothing changes because the leader did.
//!
//! The name of such a verdict follows from what it says: the next leader gives it the same one, so that a pod that was told by the last
//! leader never refutes another verdict than it means.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use keypool_contract::verdict::{CoolingReason, VerdictId};
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus};
use sha2::{Digest, Sha256};

use super::Ledger;
use super::record::{Held, Holding, KeyRecord, ProviderRecord};
use crate::moment::Moment;

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
            let ProviderRecord { keys, refuted, .. } = self.providers.entry(provider.to_owned()).or_default();
            let key = keys.entry(fingerprint.to_owned()).or_default();
            let refuted = |id: &VerdictId| refuted.contains_key(id);
            seed_key(key, (provider, fingerprint), status, refuted, now);
        }
    }
}

fn seed_key(
    key: &mut KeyRecord,
    about: (&str, &str),
    status: &KeyStatus,
    refuted: impl Fn(&VerdictId) -> bool,
    now: Moment,
) {
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
    let point = |time: &Time| now.monotonic_of(time.0);
    let mut hold = |state, reason, until: Option<&Time>, model: Option<&str>, learned| {
        let Some(held) = held(state, reason) else { return };
        // Pods may have been heard before the status could be read.
        if key.proven.is_some_and(|proven| proven > learned) {
            return;
        }
        let end = until.map_or(now.monotonic, point);
        let holding = Holding {
            held,
            model: model.map(str::to_owned),
            quota_group: false,
            learned,
            deadline: (held != Held::Invalid).then_some(end),
            // The status does not say whether the vendor asked for it. A pod that knows tells it again.
            soft: false,
        };
        if !key.holdings.values().any(|live| replaces_seed(live, &holding)) {
            let name = name(&format!(
                "{about:?} {state} {model:?} {:?} {until:?}",
                status.since
            ));
            if !refuted(&name) {
                key.holdings.insert(name, holding);
            }
        }
    };
    // A whole key that rests because each of its models does is told by its models, unless there were too many to list.
    if status.models.is_empty() || status.more_models.is_some() {
        hold(status.state, status.reason, status.until.as_ref(), None, since);
    }
    for model in &status.models {
        // Since when a model rests is not stored: only what is learned from now on can speak against it.
        let learned = if status.state.usable() {
            now.monotonic
        } else {
            since
        };
        hold(
            model.state,
            model.reason,
            model.until.as_ref(),
            Some(&model.name),
            learned,
        );
    }
}

fn name(said: &str) -> VerdictId {
    let digest = Sha256::digest(said.as_bytes());
    // Fewer bits than a JSON number carries exactly.
    let number = digest
        .iter()
        .take(6)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte));
    VerdictId {
        instance: SEEDED_INSTANCE.into(),
        sequence: number.max(1),
    }
}

fn held(state: KeyState, reason: KeyReason) -> Option<Held> {
    match state {
        KeyState::Invalid => Some(Held::Invalid),
        KeyState::Exhausted => Some(Held::Exhausted),
        KeyState::CoolingDown => Some(Held::Cooling(match reason {
            KeyReason::Refused => CoolingReason::Refused,
            _ => CoolingReason::RateLimited,
        })),
        KeyState::Unknown
        | KeyState::Healthy
        | KeyState::Missing
        | KeyState::Malformed
        | KeyState::Disabled => None,
    }
}
