use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use keypool_crds::v1alpha1::shared::CLEAR_COOLDOWN;
use keypool_crds::v1alpha1::{KeyState, KeyStatus, ModelProviderStatus};

use super::*;
use crate::controller::survey;
use crate::fixtures::api::Led;
use crate::fixtures::{CHAT, OPENAI, group, provider, refused_key};
use crate::status::key_events;

/// A provider whose stored status says that each of its keys was refused.
fn refused() -> ModelProvider {
    let mut openai = provider("openai", OPENAI);
    openai.status = Some(ModelProviderStatus {
        keys: ["team-a", "team-b", "batch"]
            .map(|name| refused_key(name, &format!("{name:_>8}")))
            .into(),
        ..ModelProviderStatus::default()
    });
    openai
}

#[tokio::test]
async fn a_new_leader_keeps_what_is_known_of_a_value_that_is_away_and_knows_who_uses_it() {
    let mut led = Led::new();
    let openai = refused();
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

/// A pod that starts later has nothing to clear when it hears of the wish, and is told the verdicts only then.
#[tokio::test]
async fn a_wish_is_acted_upon_where_no_pod_hears_of_it() {
    let mut led = Led::new();
    let mut openai = refused();
    led.provider(&openai);
    let states = async |openai: &ModelProvider| {
        look(&led.context, &Arc::new(openai.clone()))
            .await
            .unwrap()
            .unwrap();
        let view = led.context.views.provider(&ObjectId::of(openai)).unwrap();
        let (status, _) = survey::of_provider(&led.context, &view, led.context.clock.now());
        status.keys.iter().map(|key| key.state).collect::<Vec<_>>()
    };
    assert_eq!(states(&openai).await, [KeyState::Invalid; 3]);
    let annotations = openai.metadata.annotations.get_or_insert_default();
    annotations.insert(CLEAR_COOLDOWN.into(), "now:team-b".into());
    let cleared = [KeyState::Invalid, KeyState::Unknown, KeyState::Invalid];
    assert_eq!(states(&openai).await, cleared);

    // Once: what is learned from then on stands.
    let keys = &openai.status.as_ref().unwrap().keys;
    let now = led.context.clock.now();
    let again = KeyStatus {
        since: Some(Time(now.wall)),
        ..keys[1].clone()
    };
    led.context
        .knowledge
        .amend(|ledger| ledger.seed("uid-openai", &[again], |_| true, now));
    assert_eq!(states(&openai).await, [KeyState::Invalid; 3]);
}
