//! One key's state.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keypool_contract::verdict::CoolingReason;
use keypool_crds::v1alpha1::{KeyModelStatus, KeyReason, KeyState, KeyStatus};

use super::{KeyHealth, ModelHealth, ProviderUse};
use crate::controller::model_provider::ValidatedCredential;
use crate::ledger::{Held, Hold, Proof, Standing};
use crate::moment::{Moment, Monotonic, up_to_ten_seconds, whole_seconds};

/// A rest of which less remains does not appear.
const WORTH_TELLING: Duration = Duration::from_secs(10);

/// State, reason, since and until, before they are rounded and compared with what stands.
struct Word {
    state: KeyState,
    reason: KeyReason,
    since: Option<Monotonic>,
    until: Option<Monotonic>,
}

impl Word {
    fn new(state: KeyState, reason: KeyReason) -> Self {
        Self {
            state,
            reason,
            since: None,
            until: None,
        }
    }
}

pub(super) fn health(
    credential: &ValidatedCredential,
    fingerprint: Option<String>,
    standing: Option<Standing>,
    used: &ProviderUse,
    old: Option<&KeyStatus>,
    now: Moment,
) -> KeyHealth {
    // What stood about another value says nothing about this one.
    let same_value = old.filter(|old| old.fingerprint == fingerprint);
    let mut models = Vec::new();
    let word = match (credential.enabled, credential.weight, standing) {
        (false, ..) => Word::new(KeyState::Disabled, KeyReason::Disabled),
        (true, 0, _) => Word::new(KeyState::Disabled, KeyReason::Drained),
        (true, _, None) => {
            let refused = credential
                .value
                .refusal()
                .map(crate::reference::Refusal::key_state);
            let (state, reason) = refused.unwrap_or((KeyState::Missing, KeyReason::SecretNotFound));
            Word::new(state, reason)
        }
        (true, _, Some(standing)) => {
            let told = |hold: &&Hold| is_told(hold, same_value, now.monotonic);
            let holds: Vec<&Hold> = standing.holds.iter().filter(told).collect();
            let (word, listed) = judge(credential, &holds, standing.proof, used);
            models = listed
                .iter()
                .filter_map(|hold| model_health(hold, same_value, now))
                .collect();
            word
        }
    };
    let unchanged = same_value.filter(|old| old.state == word.state && old.reason == word.reason);
    let since = word
        .since
        .map_or(now.wall, |since| now.wall_of(since).min(now.wall));
    KeyHealth {
        name: credential.name.clone(),
        state: word.state,
        reason: word.reason,
        since: unchanged
            .and_then(|old| old.since.as_ref())
            .map_or(whole_seconds(since), |time| time.0),
        until: word.until.map(|until| {
            rounded(
                now.wall_of(until),
                unchanged.and_then(|old| old.until.as_ref()).map(|time| time.0),
            )
        }),
        fingerprint,
        quota_group: credential.quota_group.clone(),
        models,
        serves: credential.models.clone(),
    }
}

/// The key's word, and the rests of single models that stand beside it.
fn judge<'a>(
    credential: &ValidatedCredential,
    holds: &[&'a Hold],
    proof: Proof,
    used: &ProviderUse,
) -> (Word, Vec<&'a Hold>) {
    if let Some(whole) = holds.iter().find(|hold| hold.model.is_none()) {
        return (word_of(whole), Vec::new());
    }
    let of_models: Vec<&Hold> = holds
        .iter()
        .copied()
        .filter(|hold| hold.model.is_some())
        .collect();
    let mut in_use = used
        .models
        .iter()
        .filter(|model| credential.serves(model))
        .peekable();
    let all_rest = in_use.peek().is_some()
        && in_use.all(|model| of_models.iter().any(|hold| hold.model.as_ref() == Some(model)));
    if all_rest {
        // The key comes back with the first of its models.
        let relevant = of_models.iter().filter(|hold| {
            hold.model
                .as_ref()
                .is_some_and(|model| used.models.contains(model))
        });
        if let Some(first) = relevant.min_by_key(|hold| (hold.held == Held::Exhausted, hold.until)) {
            return (word_of(first), of_models);
        }
    }
    (proof_word(proof, used), of_models)
}

fn word_of(hold: &Hold) -> Word {
    let (state, reason) = words(hold.held);
    Word {
        state,
        reason,
        since: Some(hold.since),
        until: hold.until,
    }
}

fn words(held: Held) -> (KeyState, KeyReason) {
    match held {
        Held::Invalid => (KeyState::Invalid, KeyReason::RefusedByProvider),
        Held::Exhausted => (KeyState::Exhausted, KeyReason::CreditExhausted),
        Held::Cooling(CoolingReason::RateLimited) => (KeyState::CoolingDown, KeyReason::RateLimited),
        Held::Cooling(CoolingReason::Refused) => (KeyState::CoolingDown, KeyReason::Refused),
    }
}

fn proof_word(proof: Proof, used: &ProviderUse) -> Word {
    let (state, reason, since) = match proof {
        Proof::Proven { at } => (KeyState::Healthy, KeyReason::Proven, Some(at)),
        Proof::CooldownOver { at } => (KeyState::Healthy, KeyReason::CooldownOver, Some(at)),
        Proof::NotVerifiable => (KeyState::Unknown, KeyReason::NotVerifiable, None),
        Proof::None if used.groups.is_empty() => (KeyState::Unknown, KeyReason::NotInUse, None),
        Proof::None => (KeyState::Unknown, KeyReason::NotUsedYet, None),
    };
    Word {
        state,
        reason,
        since,
        until: None,
    }
}

/// Long enough to appear, or already there.
fn is_told(hold: &Hold, old: Option<&KeyStatus>, now: Monotonic) -> bool {
    let (Held::Cooling(_), Some(until)) = (hold.held, hold.until) else {
        return true;
    };
    let stands = old.is_some_and(|old| match &hold.model {
        None => old.state == KeyState::CoolingDown,
        Some(model) => old
            .models
            .iter()
            .any(|m| m.name == *model && m.state == KeyState::CoolingDown),
    });
    stands || until >= now + WORTH_TELLING
}

fn model_health(hold: &Hold, old: Option<&KeyStatus>, now: Moment) -> Option<ModelHealth> {
    let name = hold.model.clone()?;
    let (state, reason) = words(hold.held);
    let same = |m: &&KeyModelStatus| m.name == name && m.state == state && m.reason == reason;
    let before = old
        .and_then(|old| old.models.iter().find(same))
        .and_then(|m| m.until.as_ref());
    Some(ModelHealth {
        until: hold
            .until
            .map(|until| rounded(now.wall_of(until), before.map(|time| time.0))),
        name,
        state,
        reason,
    })
}

/// Rounded up to ten seconds; what stands is kept as long as it is as good, because two clocks drift against each other.
fn rounded(exact: Timestamp, stands: Option<Timestamp>) -> Timestamp {
    let slack = SignedDuration::from_secs(1);
    let good = |stands: &Timestamp| {
        let ahead = stands.duration_since(exact);
        ahead > -slack && ahead < SignedDuration::from_secs(10) + slack
    };
    stands.filter(good).unwrap_or_else(|| up_to_ten_seconds(exact))
}
