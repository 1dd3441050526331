//! Events: what a person must mend, and what was mended. Not cooldowns: those are normal operation.

use keypool_crds::v1alpha1::shared::ALLOWED_HOSTS;
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus, ModelProvider, ModelProviderStatus};

/// An Event about one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyEvent {
    /// A person must act: type Warning.
    pub warning: bool,
    /// `KeyInvalid`, `KeyExhausted`, `KeyMissing` or `KeyRecovered`.
    pub reason: &'static str,
    /// What, where, remedy.
    pub note: String,
}

/// The Events that a change of a provider's status is worth. `provider` holds the stored status.
pub fn key_events(provider: &ModelProvider, new: &ModelProviderStatus) -> Vec<KeyEvent> {
    let old = provider
        .status
        .as_ref()
        .map_or(&[][..], |status| status.keys.as_slice());
    let event = |key: &KeyStatus| {
        let before = old.iter().find(|old| old.name == key.name);
        decide(before, key, &place(provider, &key.name))
    };
    new.keys.iter().filter_map(event).collect()
}

fn decide(before: Option<&KeyStatus>, key: &KeyStatus, place: &str) -> Option<KeyEvent> {
    let name = &key.name;
    // The same trouble of another value is news.
    let same =
        before.is_some_and(|before| before.state == key.state && before.fingerprint == key.fingerprint);
    let warning = |reason, text: String| {
        Some(KeyEvent {
            warning: true,
            reason,
            note: format!("{name}: {text}"),
        })
    };
    match key.state {
        _ if same => None,
        KeyState::Invalid => warning("KeyInvalid", format!("refused by the provider; replace {place}")),
        KeyState::Exhausted => warning(
            "KeyExhausted",
            format!("no credit or plan left; top up its account, or replace {place}"),
        ),
        KeyState::Missing => warning("KeyMissing", missing(key.reason, place)),
        KeyState::Healthy | KeyState::Unknown | KeyState::CoolingDown => {
            let before = before.filter(|before| {
                matches!(
                    before.state,
                    KeyState::Invalid | KeyState::Exhausted | KeyState::Missing
                )
            })?;
            let text = if before.fingerprint == key.fingerprint {
                "accepted by the provider again"
            } else {
                "new value in use"
            };
            Some(KeyEvent {
                warning: false,
                reason: "KeyRecovered",
                note: format!("{name}: {text}"),
            })
        }
        KeyState::Malformed | KeyState::Disabled => None,
    }
}

fn missing(reason: KeyReason, place: &str) -> String {
    match reason {
        KeyReason::RefNotPermitted => {
            format!(
                "{place}, cannot be used: it is Keypool's own, a token of the cluster or a Helm release, or the operator may not read it; refer to a Secret of your own, or grant the operator get on this one"
            )
        }
        KeyReason::HostNotAllowed => {
            format!(
                "{place}, may not be sent to this endpoint; add the host to its annotation {ALLOWED_HOSTS}"
            )
        }
        _ => format!("no value; look at {place}"),
    }
}

fn place(provider: &ModelProvider, name: &str) -> String {
    let credential = provider
        .spec
        .credentials
        .iter()
        .find(|credential| credential.name == name);
    credential
        .and_then(|credential| credential.secret_key_ref.as_ref())
        .map_or_else(
            || "the key".to_owned(),
            |source| format!("Secret {}, key {}", source.name, source.key),
        )
}

#[cfg(test)]
mod tests;
