use keypool_crds::v1alpha1::{ConditionStatus, Reason};

use super::validate;
use crate::controller::load_balance_group::MemberProvider;
use crate::fixtures::{CHAT, NAMESPACE, OPENAI, VLLM, World, group, provider};
use crate::reference::Reference;

#[test]
fn the_example_is_accepted_with_every_default() {
    let (openai, vllm) = (provider("openai", OPENAI), provider("vllm", VLLM));
    let valid = World::new().valid_group(&group("chat", CHAT), &[&openai, &vllm]);
    assert_eq!(valid.accepted.message, "2 members");
    assert!(valid.resolved_refs.check.holds());
    assert_eq!((valid.retry.attempts, valid.retry.deadline_ms), (3, 60_000));
    assert_eq!(valid.proxy.replicas, 2);
    assert!(valid.client_access.generated && !valid.client_access.insecure);
}

#[test]
fn a_member_without_provider_costs_only_itself() {
    let refused = provider("vllm", "{type: OpenAICompatible}");
    let spec = "
members:
- {name: a, providerRef: {name: openai}, model: m}
- {name: b, providerRef: {name: vllm}, model: m}
- {name: c, providerRef: {name: nowhere}, model: m}
- {name: d, providerRef: {name: private}, model: m}
";
    let private = provider(
        "private",
        "{type: OpenAICompatible, endpoint: {url: 'https://llm/v1', caBundleRef: {name: ca}}}",
    );
    let openai = provider("openai", OPENAI);
    let valid = World::new().valid_group(&group("chat", spec), &[&openai, &refused, &private]);
    let kinds: Vec<_> = valid
        .members
        .iter()
        .map(|member| match valid.provider_of(member) {
            MemberProvider::Served(_) => "served",
            MemberProvider::NotFound => "not found",
            MemberProvider::NotAccepted(_) => "not accepted",
            MemberProvider::NoAuthorities(_) => "no authorities",
        })
        .collect();
    assert_eq!(kinds, ["served", "not accepted", "not found", "no authorities"]);
    assert!(valid.accepted.holds());
    assert_eq!(valid.resolved_refs.check.reason, Reason::ProviderNotFound);
    let message = &valid.resolved_refs.check.message;
    assert!(
        message.contains("members[c].providerRef: ModelProvider nowhere does not exist; create it"),
        "{message}"
    );
    for resolved in ["members[a]", "members[b]", "members[d]"] {
        assert!(!message.contains(resolved), "{message}");
    }
    assert_eq!(valid.valid_providers().count(), 2);
}

/// It is there: what is wrong inside it is no matter of the reference.
#[test]
fn a_provider_that_cannot_be_served_is_resolved_all_the_same() {
    let refused = provider("vllm", "{type: OpenAICompatible}");
    let spec = "members: [{name: b, providerRef: {name: vllm}, model: m}]";
    let valid = World::new().valid_group(&group("chat", spec), &[&refused]);
    assert_eq!(valid.resolved_refs.check.status, ConditionStatus::True);
    assert_eq!(valid.resolved_refs.check.reason, Reason::ResolvedRefs);
}

#[test]
fn what_cannot_be_served_is_refused_with_field_and_remedy() {
    let member = "members: [{name: a, providerRef: {name: openai}, model: m}]";
    for (spec, words) in [
        ("{members: []}".into(), "members has 0 entries"),
        (
            "members: [{name: a, providerRef: {name: p}, model: m}, {name: a, providerRef: {name: p}, model: n}]".into(),
            "the name a twice",
        ),
        ("members: [{name: a, providerRef: {name: p}, model: m, weight: 2000}]".into(), "members[a].weight"),
        (format!("{{{member}, retry: {{attempts: 0}}}}"), "retry.attempts"),
        (format!("{{{member}, retry: {{deadline: never}}}}"), "retry.deadline"),
        (format!("{{{member}, proxy: {{replicas: -1}}}}"), "proxy.replicas"),
        (format!("{{{member}, clientAccess: {{generated: false}}}}"), "nobody could call"),
        (
            format!("{{{member}, clientAccess: {{insecure: true, keys: [{{name: k, secretKeyRef: {{name: s, key: k}}}}]}}}}"),
            "clientAccess.insecure",
        ),
        (
            format!("{{{member}, clientAccess: {{keys: [{{name: generated, secretKeyRef: {{name: s, key: k}}}}]}}}}"),
            "clientAccess.keys holds the name generated",
        ),
    ] {
        let world = World::new();
        let refused = validate(&group("chat", &spec), world.providers(&[]), &world.around()).unwrap_err();
        assert_eq!((refused.accepted.status, refused.accepted.reason), (ConditionStatus::False, Reason::InvalidSpec));
        assert!(refused.accepted.message.contains(words), "{spec}: {}", refused.accepted.message);
    }
}

#[test]
fn own_client_keys_resolve_one_by_one() {
    let spec = "
members: [{name: a, providerRef: {name: openai}, model: m}]
clientAccess:
  keys:
  - {name: app, secretKeyRef: {name: clients, key: app}}
  - {name: job, secretKeyRef: {name: away, key: job}}
  - {name: old, secretKeyRef: {name: clients, key: old}}
";
    let world = World::new()
        .secret("clients", &[("app", "ck-app\n")])
        .without(Reference::secret(NAMESPACE, "away"), -5);
    let valid = world.valid_group(&group("chat", spec), &[&provider("openai", OPENAI)]);
    let names: Vec<_> = valid
        .client_access
        .keys
        .iter()
        .map(|(name, key)| (name.as_str(), key.expose()))
        .collect();
    assert_eq!(names, [("app", "ck-app")]);
    assert_eq!(valid.client_access.away, ["job"]);
    let message = &valid.resolved_refs.check.message;
    assert!(
        message.contains("clientAccess.keys[old].secretKeyRef: Secret clients has no key old"),
        "{message}"
    );
}
