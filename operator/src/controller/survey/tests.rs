use std::sync::Arc;

use keypool_crds::v1alpha1::{ConditionType, LoadBalanceGroup, ModelProvider, Reason, UsedBy};

use super::*;
use crate::conditions::Check;
use crate::controller::{load_balance_group, model_provider};
use crate::fixtures::api::Led;
use crate::fixtures::{CHAT, VLLM, group, provider};
use crate::install::ObjectId;

#[tokio::test]
async fn an_edit_that_cannot_be_read_shows_in_the_status_of_what_was_read() {
    let mut led = Led::new();
    let (mut vllm, mut chat) = (provider("vllm", VLLM), group("chat", CHAT));
    led.provider(&vllm);
    led.group(&chat);
    let context = Arc::clone(&led.context);
    let pass = model_provider::reconcile::reconcile(&context, Arc::new(vllm.clone()));
    pass.await.unwrap();
    let pass = load_balance_group::reconcile::reconcile(&context, Arc::new(chat.clone()));
    pass.await.unwrap();
    let accepted = || {
        let now = context.clock.now();
        let provider = context.views.provider(&ObjectId::of(&provider("vllm", VLLM)));
        let group = context.views.group(&ObjectId::of(&group("chat", CHAT)));
        let of_provider = of_provider(&context, &provider.unwrap(), now).0.conditions;
        let of_group = of_group(&context, &group.unwrap(), now).0.conditions;
        let word = |conditions| Check::stored(conditions, ConditionType::Accepted).unwrap().reason;
        [word(&of_provider), word(&of_group)]
    };
    let note = |provider: &_, group: &_| {
        context.stores.unreadable_providers.note(provider);
        context.stores.unreadable_groups.note(group);
    };
    note(&vllm, &chat);
    assert_eq!(accepted(), [Reason::Accepted; 2], "no edit");
    vllm.metadata.generation = Some(5);
    chat.metadata.generation = Some(3);
    note(&vllm, &chat);
    assert_eq!(accepted(), [Reason::UnsupportedValue; 2]);
    vllm.metadata.uid = Some("another".into());
    chat.metadata.uid = Some("another".into());
    note(&vllm, &chat);
    assert_eq!(accepted(), [Reason::Accepted; 2], "another object");
}

/// The first look at the mended object comes before its pass, which reads Secrets.
#[tokio::test]
async fn an_edit_that_is_mended_is_judged_before_anything_is_said() {
    let mut led = Led::new();
    let (mut vllm, mut chat) = (provider("vllm", VLLM), group("chat", CHAT));
    led.provider(&vllm);
    led.group(&chat);
    let context = Arc::clone(&led.context);
    let pass = |vllm: &ModelProvider, chat: &LoadBalanceGroup| {
        let (vllm, chat, context) = (
            Arc::new(vllm.clone()),
            Arc::new(chat.clone()),
            Arc::clone(&context),
        );
        async move {
            model_provider::reconcile::reconcile(&context, vllm)
                .await
                .unwrap();
            load_balance_group::reconcile::reconcile(&context, chat)
                .await
                .unwrap();
        }
    };
    pass(&vllm, &chat).await;
    let (of_vllm, of_chat) = (ObjectId::of(&vllm), ObjectId::of(&chat));
    let look = || {
        let now = context.clock.now();
        let vllm = of_provider(&context, &context.views.provider(&of_vllm).unwrap(), now).0;
        let chat = of_group(&context, &context.views.group(&of_chat).unwrap(), now).0;
        context.views.provider_written(of_vllm.clone(), vllm.clone());
        context.views.group_written(of_chat.clone(), chat.clone());
        let reason = |conditions| Check::stored(conditions, ConditionType::Ready).unwrap().reason;
        (
            [vllm.observed_generation, chat.observed_generation].map(Option::unwrap),
            [reason(&vllm.conditions), reason(&chat.conditions)],
        )
    };
    let in_order = [Reason::Ready, Reason::NoReadyProxies];
    assert_eq!(look(), ([4, 2], in_order));
    let edit = |vllm: &mut ModelProvider, chat: &mut LoadBalanceGroup, generations: [i64; 2]| {
        [vllm.metadata.generation, chat.metadata.generation] = generations.map(Some);
    };
    edit(&mut vllm, &mut chat, [5, 3]);
    context.stores.unreadable_providers.note(&vllm);
    context.stores.unreadable_groups.note(&chat);
    assert_eq!(look(), ([5, 3], [Reason::UnsupportedValue; 2]));

    edit(&mut vllm, &mut chat, [6, 4]);
    led.provider(&vllm);
    led.group(&chat);
    context.stores.unreadable_providers.forget(&vllm);
    context.stores.unreadable_groups.forget(&chat);
    assert_eq!(look(), ([5, 3], [Reason::UnsupportedValue; 2]));
    pass(&vllm, &chat).await;
    assert_eq!(look(), ([6, 4], in_order));

    edit(&mut vllm, &mut chat, [1, 1]);
    led.provider(&vllm);
    led.group(&chat);
    pass(&vllm, &chat).await;
    assert_eq!(look(), ([1, 1], in_order), "a restored backup");
}

#[tokio::test]
async fn a_group_that_was_never_read_still_uses_its_providers() {
    let mut led = Led::new();
    let mut vllm = provider("vllm", VLLM);
    vllm.status = Some(ModelProviderStatus {
        used_by: Some(UsedBy {
            count: 3,
            groups: ["chat", "gone", "other"].map(str::to_owned).into(),
        }),
        ..ModelProviderStatus::default()
    });
    led.provider(&vllm);
    let other = "members: [{name: a, providerRef: {name: openai}, model: m}]";
    let (chat, other) = (group("chat", CHAT), group("other", other));
    let context = Arc::clone(&led.context);
    for sealed in [&chat, &other] {
        context.stores.unreadable_groups.note(sealed);
    }
    led.group(&other);
    let pass = model_provider::reconcile::reconcile(&context, Arc::new(vllm.clone()));
    pass.await.unwrap();
    let look = || {
        let view = context.views.provider(&ObjectId::of(&vllm)).unwrap();
        let status = of_provider(&context, &view, context.clock.now()).0;
        let word = Check::stored(&status.conditions, ConditionType::KeysHealthy).unwrap();
        (status.used_by.unwrap().groups, word.reason)
    };
    assert_eq!(look(), (vec!["chat".to_owned()], Reason::NoReporters));
    context.stores.unreadable_groups.forget(&chat);
    assert_eq!(look(), (vec![], Reason::NotInUse), "it is gone");
}
