use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus, ModelProviderStatus};

use super::key_events;
use crate::fixtures::{OPENAI, provider};

fn status(state: KeyState, fingerprint: Option<&str>) -> ModelProviderStatus {
    let key = KeyStatus {
        name: "batch".into(),
        state,
        reason: KeyReason::Proven,
        since: None,
        until: None,
        fingerprint: fingerprint.map(str::to_owned),
        quota_group: None,
        models: Vec::new(),
        more_models: None,
    };
    ModelProviderStatus {
        keys: vec![key],
        ..ModelProviderStatus::default()
    }
}

#[test]
fn a_person_hears_of_what_to_mend_and_of_what_was_mended() {
    use KeyState::{CoolingDown, Disabled, Exhausted, Healthy, Invalid, Malformed, Missing, Unknown};
    let a = Some("aaaaaaaa");
    let b = Some("bbbbbbbb");
    for (before, after, want) in [
        (None, (Unknown, a), None),
        (None, (Missing, None), Some("KeyMissing")),
        (Some((Healthy, a)), (Invalid, a), Some("KeyInvalid")),
        (Some((Invalid, a)), (Invalid, a), None),
        (Some((Invalid, a)), (Invalid, b), Some("KeyInvalid")),
        (Some((Healthy, a)), (Exhausted, a), Some("KeyExhausted")),
        (Some((Healthy, a)), (CoolingDown, a), None),
        (Some((CoolingDown, a)), (Healthy, a), None),
        (Some((Invalid, a)), (Healthy, a), Some("KeyRecovered")),
        (Some((Invalid, a)), (Unknown, b), Some("KeyRecovered")),
        (Some((Exhausted, a)), (Healthy, a), Some("KeyRecovered")),
        (Some((Missing, None)), (Unknown, a), Some("KeyRecovered")),
        (Some((Missing, None)), (Missing, None), None),
        (Some((Malformed, None)), (Unknown, a), None),
        (Some((Invalid, a)), (Disabled, a), None),
    ] {
        let mut provider = provider("openai", OPENAI);
        provider.status = before.map(|(state, fingerprint)| status(state, fingerprint));
        let events = key_events(&provider, &status(after.0, after.1));
        assert_eq!(
            events.first().map(|event| event.reason),
            want,
            "{before:?} {after:?}"
        );
        assert!(
            events
                .iter()
                .all(|event| event.warning == (event.reason != "KeyRecovered"))
        );
    }
}

#[test]
fn notes_say_what_where_and_what_to_do() {
    let mut provider = provider("openai", OPENAI);
    let note =
        |provider: &_, state, fingerprint| key_events(provider, &status(state, fingerprint)).remove(0).note;
    assert_eq!(
        note(&provider, KeyState::Invalid, Some("a")),
        "batch: refused by the provider; replace Secret openai-keys, key batch"
    );
    for (reason, want) in [
        (
            KeyReason::SecretNotFound,
            "batch: no value; look at Secret openai-keys, key batch",
        ),
        (
            KeyReason::RefNotPermitted,
            "batch: Secret openai-keys, key batch, cannot be used: it is Keypool's own, a token of the cluster or a Helm \
             release, or the operator may not read it; refer to a Secret of your own, or grant the operator get on this one",
        ),
        (
            KeyReason::HostNotAllowed,
            "batch: Secret openai-keys, key batch, may not be sent to this endpoint; add the host to its annotation \
             keypool.dev/allowed-hosts",
        ),
    ] {
        let mut missing = status(KeyState::Missing, None);
        missing.keys[0].reason = reason;
        assert_eq!(key_events(&provider, &missing).remove(0).note, want);
    }
    provider.status = Some(status(KeyState::Invalid, Some("a")));
    assert_eq!(
        note(&provider, KeyState::Unknown, Some("b")),
        "batch: new value in use"
    );
    assert_eq!(
        note(&provider, KeyState::Healthy, Some("a")),
        "batch: accepted by the provider again"
    );
}
