use http::StatusCode;
use keypool_crds::v1alpha1::Reason;
use keypool_crds::v1alpha1::shared::CLEAR_COOLDOWN;

use super::*;
use crate::controller::model_provider;
use crate::controller::survey;
use crate::fixtures::api::Led;
use crate::fixtures::{CHAT, OPENAI, VLLM, group, provider};
use crate::k8s::apply::ApplyError;

#[tokio::test]
async fn a_member_that_goes_shows_in_its_provider() {
    let mut led = Led::new();
    for provider in [provider("openai", OPENAI), provider("vllm", VLLM)] {
        led.provider(&provider);
    }
    let both = group("chat", CHAT);
    let mut one = both.clone();
    one.spec.members.pop();
    one.metadata.generation = Some(3);
    let mut other_model = one.clone();
    other_model.spec.members[0].model = "gpt-5".into();

    for (group, woken, users_of_vllm) in [
        (&both, &["group chat", "provider openai", "provider vllm"][..], 1),
        (&both, &["group chat"], 1),
        (&one, &["group chat", "provider vllm"], 0),
        (&other_model, &["group chat", "provider openai"], 0),
    ] {
        led.group(group);
        reconcile(&led.context, Arc::new(group.clone())).await.unwrap();
        assert_eq!(led.surveyed(), woken);
        let vllm = Arc::new(provider("vllm", VLLM));
        model_provider::reconcile::look(&led.context, &vllm)
            .await
            .unwrap()
            .unwrap();
        let view = led.context.views.provider(&ObjectId::of(vllm.as_ref())).unwrap();
        let (status, _) = survey::of_provider(&led.context, &view, led.context.clock.now());
        assert_eq!(status.used_by.map(|used| used.count), Some(users_of_vllm));
    }
}

#[tokio::test]
async fn a_write_that_fails_is_remembered_until_one_succeeds() {
    let mut led = Led::new();
    for provider in [provider("openai", OPENAI), provider("vllm", VLLM)] {
        led.provider(&provider);
    }
    let chat = group("chat", CHAT);
    led.group(&chat);
    let pass = |group: LoadBalanceGroup| {
        let context = Arc::clone(&led.context);
        async move {
            let outcome = reconcile(&context, Arc::new(group.clone())).await;
            let view = context.views.group(&ObjectId::of(&group)).unwrap();
            (outcome.is_ok(), view)
        }
    };
    led.refuse(Some(("/deployments", StatusCode::UNPROCESSABLE_ENTITY)));
    let (done, first) = pass(chat.clone()).await;
    let failure = first.failure.unwrap();
    assert!(!done);
    assert_eq!(
        (failure.kind, failure.code, failure.text.as_str()),
        ("Deployment", 422, "as it was told")
    );
    assert_eq!(
        first.applied.unwrap().desired.spec_generation,
        2,
        "the document is written"
    );
    let (_, again) = pass(chat.clone()).await;
    assert_eq!(again.failure.unwrap().since, failure.since);

    let mut edited = chat.clone();
    edited.metadata.generation = Some(3);
    led.refuse(Some(("/secrets", StatusCode::INTERNAL_SERVER_ERROR)));
    let (done, unwritten) = pass(edited.clone()).await;
    let failure = unwritten.failure.unwrap();
    assert!(!done);
    assert_eq!(
        (failure.kind, failure.code, failure.text.as_str()),
        ("Secret", 500, ""),
        "it may quote a key"
    );
    assert_eq!(
        unwritten.applied.unwrap().desired.spec_generation,
        2,
        "what is written is the old spec"
    );

    led.refuse(None);
    let (done, written) = pass(edited).await;
    assert!(done);
    assert_eq!(written.failure, None);
    assert_eq!(written.applied.unwrap().desired.spec_generation, 3);
}

#[tokio::test]
async fn a_client_secret_of_an_earlier_group_is_awaited() {
    let mut led = Led::new();
    let chat = group("chat", CHAT);
    led.group(&chat);
    let owner = |uid: &str| {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "chat-client", "namespace": "team", "uid": "u", "ownerReferences": [
                {"apiVersion": "keypool.dev/v1alpha1", "kind": "LoadBalanceGroup", "name": "chat", "uid": uid},
            ]},
        })
    };
    let place = "/api/v1/namespaces/team/secrets/chat-client";
    led.hold(place, &owner("uid-of-before"));
    let waits = reconcile(&led.context, Arc::new(chat.clone())).await;
    assert!(
        matches!(&waits, Err(ReconcileError::Apply(ApplyError::Leftover { .. }))),
        "{waits:?}"
    );
    let view = |led: &Led| led.context.views.group(&ObjectId::of(&chat)).unwrap();
    assert_eq!(view(&led).applied, None, "no name is taken");

    led.hold(place, &serde_json::json!({"metadata": {"name": "chat-client"}}));
    reconcile(&led.context, Arc::new(chat.clone())).await.unwrap();
    assert_eq!(view(&led).applied.unwrap().conflicts.len(), 1);
}

#[tokio::test]
async fn a_provider_that_was_never_read_is_not_left_out_and_keeps_its_verdicts() {
    let mut led = Led::new();
    led.provider(&provider("openai", OPENAI));
    let chat = group("chat", CHAT);
    led.group(&chat);
    led.context
        .stores
        .unreadable_providers
        .note(&provider("vllm", VLLM));
    let unheard_of = reconcile(&led.context, Arc::new(chat.clone())).await;
    assert!(unheard_of.is_err(), "its status cannot be read");
    assert!(led.context.views.group(&ObjectId::of(&chat)).is_none());
    let key = |state: &str, fingerprint: &str| {
        serde_json::json!({
            "name": fingerprint, "state": state, "reason": "RefusedByProvider", "fingerprint": fingerprint,
            "since": "2026-11-20T09:12:00Z",
        })
    };
    let sealed = serde_json::json!({
        "apiVersion": "keypool.dev/v1alpha1", "kind": "ModelProvider",
        "metadata": {"name": "vllm", "namespace": "team", "uid": "uid-vllm"},
        "spec": {"type": "Newer"},
        "status": {"keys": [key("Invalid", "dead"), key("Newer", "new")], "newer": true},
    });
    led.hold(
        "/apis/keypool.dev/v1alpha1/namespaces/team/modelproviders",
        &serde_json::json!({
            "apiVersion": "keypool.dev/v1alpha1", "kind": "ModelProviderList", "metadata": {}, "items": [sealed],
        }),
    );
    reconcile(&led.context, Arc::new(chat.clone())).await.unwrap();
    let ledger = || led.context.knowledge.ledger(Clone::clone);
    let once = ledger();
    reconcile(&led.context, Arc::new(chat.clone())).await.unwrap();
    assert_eq!(ledger(), once, "again is no news");
    let now = led.context.clock.now().monotonic;
    let holds = |value| once.standing("uid-vllm", value, &[], now).holds.len();
    assert_eq!(
        (holds("dead"), holds("new")),
        (1, 0),
        "what an earlier leader knew is known"
    );
    let view = led.context.views.group(&ObjectId::of(&chat)).unwrap();
    assert_eq!(view.applied, None, "nothing is written");
    let refused = view.judged.unwrap_err().accepted;
    assert_eq!(refused.reason, Reason::UnsupportedValue);
    assert!(
        refused
            .message
            .contains("members[vllm].providerRef: ModelProvider vllm"),
        "{}",
        refused.message
    );
}

/// Its pods serve on, and hear of them as the others do.
#[tokio::test]
async fn a_group_that_is_not_served_anew_knows_the_wishes_about_its_providers() {
    let mut led = Led::new();
    let mut vllm = provider("vllm", VLLM);
    let annotations = vllm.metadata.annotations.get_or_insert_default();
    annotations.insert(CLEAR_COOLDOWN.into(), "now".into());
    led.provider(&vllm);
    model_provider::reconcile::look(&led.context, &Arc::new(vllm))
        .await
        .unwrap()
        .unwrap();
    let wishes = stored::wishes(&led.context, &group("chat", CHAT));
    let told: Vec<_> = wishes.iter().map(|wish| wish.provider.as_str()).collect();
    assert_eq!(told, ["uid-vllm"]);
}
