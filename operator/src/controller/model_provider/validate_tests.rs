use keypool_contract::ProviderType;
use keypool_crds::v1alpha1::{ConditionStatus, Reason};

use crate::controller::model_provider::Value;
use crate::fixtures::{NAMESPACE, OPENAI, VLLM, World, certificate, provider};
use crate::identity::ANONYMOUS;
use crate::reference::Reference;

const KEY: &str = "{name: a, secretKeyRef: {name: openai-keys, key: team-a}}";

#[test]
fn the_example_is_accepted_with_every_default() {
    let valid = World::new().valid(&provider("openai", OPENAI));
    assert_eq!(valid.provider_type, ProviderType::OpenAI);
    assert_eq!(valid.url.as_str(), "https://api.openai.com/v1");
    assert_eq!(valid.accepted.message, "3 credentials");
    assert!(valid.accepted.holds() && valid.resolved_refs.check.holds());
    let shape: Vec<_> = valid
        .credentials
        .iter()
        .map(|c| (c.name.as_str(), c.weight, c.priority, c.active()))
        .collect();
    assert_eq!(
        shape,
        [
            ("team-a", 3, 0, true),
            ("team-b", 1, 0, true),
            ("batch", 1, 10, true)
        ]
    );
    assert_eq!(
        (valid.cooldown.initial_ms, valid.cooldown.max_ms),
        (60_000, 900_000)
    );
    assert_eq!(
        (valid.timeouts.connect_ms, valid.timeouts.response_ms),
        (5_000, 600_000)
    );
    assert_eq!(
        (valid.probe.interval_ms, valid.probe.timeout_ms),
        (900_000, 10_000)
    );
    assert_eq!(valid.fingerprints().map(|names| names.len()), Some(3));
}

#[test]
fn a_server_of_ones_own_needs_no_key() {
    let valid = World::new().valid(&provider("vllm", VLLM));
    assert_eq!(valid.url.as_str(), "http://vllm:8000/v1");
    assert_eq!(valid.credentials.len(), 1);
    assert_eq!(valid.credentials[0].name, ANONYMOUS);
    assert!(matches!(valid.credentials[0].value, Value::Anonymous));
}

#[test]
fn what_cannot_be_served_is_refused_with_field_and_remedy() {
    let with = |rest: &str| format!("{{type: OpenAI, credentials: [{KEY}], {rest}}}");
    for (spec, reason, words) in [
        (
            "{type: OpenAI}".into(),
            Reason::InvalidSpec,
            "credentials needs at least one entry",
        ),
        (
            "{type: OpenAICompatible}".into(),
            Reason::InvalidSpec,
            "endpoint.url is required",
        ),
        (
            "{type: OpenAICompatible, endpoint: {url: 'vllm:8000'}}".into(),
            Reason::InvalidSpec,
            "endpoint.url: ",
        ),
        (
            "{type: OpenAICompatible, endpoint: {url: 'http://u:p@vllm/v1'}}".into(),
            Reason::InvalidSpec,
            "endpoint.url: ",
        ),
        (
            with("endpoint: {url: 'http://api.openai.com/v1'}"),
            Reason::InvalidSpec,
            "must be https://",
        ),
        (
            with("health: {cooldown: {initial: 20m}}"),
            Reason::InvalidSpec,
            "health.cooldown.initial",
        ),
        (
            with("health: {probe: {interval: soon}}"),
            Reason::InvalidSpec,
            "health.probe.interval",
        ),
        (
            with("health: {probe: {interval: 999ms}}"),
            Reason::InvalidSpec,
            "health.probe.interval (999ms) must be at least 1s",
        ),
        (
            with("timeouts: {connect: 0s}"),
            Reason::InvalidSpec,
            "timeouts.connect",
        ),
        (
            with("endpoint: {headers: [{name: authorization, value: x}]}"),
            Reason::InvalidSpec,
            "endpoint.headers",
        ),
        (
            with("endpoint: {headers: [{name: x-a, value: ' x'}]}"),
            Reason::InvalidSpec,
            "endpoint.headers",
        ),
        (
            with("endpoint: {headers: [{name: x-a, value: x}, {name: x-a, value: y}]}"),
            Reason::InvalidSpec,
            "twice",
        ),
        (
            format!("{{type: OpenAI, credentials: [{KEY}, {KEY}]}}"),
            Reason::DuplicateCredential,
            "name a twice",
        ),
        (
            "{type: OpenAI, credentials: [{name: a}]}".into(),
            Reason::InvalidSpec,
            "credentials[a]",
        ),
        (
            "{type: OpenAI, credentials: [{name: a, weight: 1001, secretKeyRef: {name: s, key: k}}]}".into(),
            Reason::InvalidSpec,
            "credentials[a].weight is 1001",
        ),
        (
            "{type: OpenAI, credentials: [{name: a, priority: -1, secretKeyRef: {name: s, key: k}}]}".into(),
            Reason::InvalidSpec,
            "credentials[a].priority is -1",
        ),
    ] {
        let refused = World::new().judge(&provider("p", &spec)).unwrap_err();
        assert_eq!(
            (refused.accepted.status, refused.accepted.reason),
            (ConditionStatus::False, reason),
            "{spec}"
        );
        assert!(
            refused.accepted.message.contains(words),
            "{spec}: {}",
            refused.accepted.message
        );
        assert!(
            refused.accepted.message.ends_with('.'),
            "{}",
            refused.accepted.message
        );
    }
    let long = "p".repeat(51);
    assert!(World::new().judge(&provider(&long, OPENAI)).is_err());
    assert!(World::new().judge(&provider("1p", OPENAI)).is_err());
}

#[test]
fn one_reference_that_does_not_resolve_costs_only_itself() {
    let spec = "
type: OpenAI
credentials:
- {name: good, secretKeyRef: {name: openai-keys, key: team-a}}
- {name: no-secret, secretKeyRef: {name: nowhere, key: a}}
- {name: no-key, secretKeyRef: {name: openai-keys, key: nope}}
- {name: empty, secretKeyRef: {name: bad, key: empty}}
";
    let world = World::new().secret("bad", &[("empty", "")]);
    let valid = world.valid(&provider("p", spec));
    let resolved: Vec<_> = valid
        .credentials
        .iter()
        .map(|c| c.value.fingerprint().is_some())
        .collect();
    assert_eq!(resolved, [true, false, false, false]);
    assert!(valid.accepted.holds());
    assert_eq!(valid.resolved_refs.check.reason, Reason::SecretNotFound);
    assert_eq!(
        valid.resolved_refs.check.message,
        "credentials[no-secret].secretKeyRef: Secret nowhere does not exist; create it in this namespace. \
         credentials[no-key].secretKeyRef: Secret openai-keys has no key nope; add it. \
         credentials[empty].secretKeyRef: Secret bad, key empty, is empty; put the value in."
    );
}

#[test]
fn two_entries_for_one_data_key_are_served_and_told() {
    let spec = "
type: OpenAI
credentials:
- {name: a, secretKeyRef: {name: openai-keys, key: team-a}}
- {name: b, secretKeyRef: {name: openai-keys, key: team-a}}
";
    let valid = World::new().valid(&provider("p", spec));
    assert_eq!(
        (valid.accepted.status, valid.accepted.reason),
        (ConditionStatus::False, Reason::DuplicateCredential)
    );
    assert!(
        valid
            .accepted
            .message
            .contains("credentials[a] and credentials[b]"),
        "{}",
        valid.accepted.message
    );
    assert_eq!(
        valid.credentials[0].value.fingerprint(),
        valid.credentials[1].value.fingerprint()
    );
}

#[test]
fn what_is_away_for_a_moment_does_not_unset_a_condition_that_held() {
    let world = World::new().without(Reference::secret(NAMESPACE, "openai-keys"), -5);
    let valid = world.valid(&provider("openai", OPENAI));
    let before = World::new()
        .valid(&provider("openai", OPENAI))
        .resolved_refs
        .check;
    assert!(!valid.resolved_refs.check.holds());
    assert!(valid.resolved_refs.after(Some(before.clone())).holds());
    assert!(
        !valid.resolved_refs.after(None).holds(),
        "a new object is told at once"
    );
    assert_eq!(
        valid.validate_again_at(),
        Some(crate::moment::tests::at(25).monotonic)
    );
    assert_eq!(valid.fingerprints(), None, "nothing is forgotten meanwhile");
    let gone = world.at(25).valid(&provider("openai", OPENAI));
    assert!(!gone.resolved_refs.after(Some(before)).holds());
    assert_eq!(
        (gone.validate_again_at(), gone.fingerprints()),
        (None, Some([].into()))
    );
}

#[test]
fn private_authorities_are_taken_or_told() {
    let spec =
        "{type: OpenAICompatible, endpoint: {url: 'https://llm.internal/v1', caBundleRef: {name: ca}}}";
    let pem = certificate();
    let valid = World::new()
        .config_map("ca", "ca.crt", &pem)
        .valid(&provider("p", spec));
    assert_eq!(valid.ca_bundle, Ok(Some(pem)));
    let missing = World::new().valid(&provider("p", spec));
    assert!(missing.ca_bundle.is_err());
    assert_eq!(missing.resolved_refs.check.reason, Reason::ConfigMapNotFound);
    assert!(
        missing
            .resolved_refs
            .check
            .message
            .starts_with("endpoint.caBundleRef: ConfigMap ca does not exist")
    );
    let broken = World::new()
        .config_map("ca", "ca.crt", "x")
        .valid(&provider("p", spec));
    assert_eq!(broken.resolved_refs.check.reason, Reason::MalformedValue);
}
