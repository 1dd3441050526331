use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus, ModelProviderStatus};

use super::*;
use crate::controller::survey;
use crate::fixtures::api::Led;
use crate::fixtures::{CHAT, OPENAI, group, provider};
use crate::status::key_events;

fn refused(name: &str, fingerprint: &str) -> KeyStatus {
    KeyStatus {
        name: name.into(),
        state: KeyState::Invalid,
        reason: KeyReason::RefusedByProvider,
        since: None,
        until: None,
        fingerprint: Some(fingerprint.into()),
        quota_group: None,
        models: Vec::new(),
        more_models: None,
    }
}

#[tokio::test]
async fn a_new_leader_keeps_what_is_known_of_a_value_that_is_away_and_knows_who_uses_it() {
    let mut led = Led::new();
    let mut openai = provider("openai", OPENAI);
    openai.status = Some(ModelProviderStatus {
        keys: ["team-a", "team-b", "batch"]
            .map(|name| refused(name, &format!("{name:_>8}")))
            .into(),
        ..ModelProviderStatus::default()
    });
    led.provider(&openai);
    // Its own pass is still to come.
    led.group(&group("chat", CHAT));
    look(&led.context, &Arc::new(openai.clone()))
        .await
        .unwrap()
        .unwrap();
    let view = led.context.views.provider(&ObjectId::of(&openai)).unwrap();
    let (status, _) = survey::of_provider(&led.context, &view, led.context.clock.now());
    let states: Vec<_> = status.keys.iter().map(|key| key.state).collect();
    assert_eq!(
        states,
        [KeyState::Invalid; 3],
        "the Secret is away, and may come back"
    );
    assert_eq!(key_events(&openai, &status), []);
    assert_eq!(
        status.used_by.map(|used| used.groups),
        Some(vec!["chat".to_owned()])
    );
}
