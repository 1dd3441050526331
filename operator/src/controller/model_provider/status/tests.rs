use keypool_contract::verdict::EndpointState;
use keypool_crds::v1alpha1::{
    ConditionStatus, ConditionType, KeyReason, KeyState, ModelProvider, ModelProviderStatus, Reason,
};

use super::{Observed, status_before};
use crate::conditions::Check;
use crate::controller::model_provider::{KeyHealth, ModelHealth, ProviderHealth, ProviderUse, Reporters};
use crate::fixtures::{NAMESPACE, OPENAI, World, provider};
use crate::moment::Moment;
use crate::moment::tests::at;
use crate::reference::Reference;

fn key(name: &str, state: KeyState, reason: KeyReason) -> KeyHealth {
    KeyHealth {
        name: name.into(),
        state,
        reason,
        since: at(0).wall,
        until: None,
        fingerprint: Some("7f3a91c2".into()),
        quota_group: None,
        models: Vec::new(),
        serves: Vec::new(),
    }
}

fn healthy(name: &str) -> KeyHealth {
    key(name, KeyState::Healthy, KeyReason::Proven)
}

fn invalid(name: &str) -> KeyHealth {
    key(name, KeyState::Invalid, KeyReason::RefusedByProvider)
}

fn cooling(name: &str) -> KeyHealth {
    key(name, KeyState::CoolingDown, KeyReason::RateLimited)
}

fn used() -> ProviderUse {
    ProviderUse {
        groups: ["chat".to_owned()].into(),
        models: ["gpt-4.1".to_owned()].into(),
        reporters: Reporters {
            ready: 2,
            total: 2,
            settling: false,
        },
    }
}

struct Case {
    world: World,
    provider: ModelProvider,
    health: ProviderHealth,
    used: ProviderUse,
    later: Option<i64>,
}

impl Case {
    fn new(keys: Vec<KeyHealth>) -> Self {
        Self {
            world: World::new(),
            provider: provider("openai", OPENAI),
            health: ProviderHealth {
                keys,
                endpoint: Some(EndpointState::Reachable),
                next_change: None,
            },
            used: used(),
            later: None,
        }
    }

    fn status_at(&self, now: Moment) -> ModelProviderStatus {
        let judged = self.world.judge(&self.provider);
        let judged = judged.as_ref().map(|valid| (valid, &self.health));
        let observed = Observed {
            provider: &self.provider,
            judged,
            used: &self.used,
            now,
        };
        status_before(&observed, self.later)
    }

    fn check(&self, kind: ConditionType) -> Option<Check> {
        Check::stored(&self.status_at(at(0)).conditions, kind)
    }

    fn word(&self, kind: ConditionType) -> (ConditionStatus, Reason) {
        let check = self.check(kind).unwrap();
        (check.status, check.reason)
    }
}

#[test]
fn the_status_of_the_surface_document() {
    let time = |text: &str| text.parse().unwrap();
    let mut case = Case::new(vec![
        KeyHealth {
            since: time("2026-11-20T09:12:00Z"),
            ..healthy("team-a")
        },
        KeyHealth {
            since: time("2026-11-20T10:41:07Z"),
            until: Some(time("2026-11-20T10:42:00Z")),
            fingerprint: Some("0be4d517".into()),
            quota_group: Some("org-42".into()),
            ..cooling("team-b")
        },
        KeyHealth {
            since: time("2026-11-20T10:40:10Z"),
            fingerprint: Some("c29e88a0".into()),
            ..invalid("batch")
        },
    ]);
    case.used.groups = ["chat".to_owned()].into();
    insta::assert_yaml_snapshot!("surface", case.status_at(at(0)));
}

#[test]
fn keys_healthy_is_false_only_for_what_a_person_must_mend() {
    let exhausted = || key("batch", KeyState::Exhausted, KeyReason::CreditExhausted);
    let missing = || KeyHealth {
        fingerprint: None,
        ..key("batch", KeyState::Missing, KeyReason::SecretKeyNotFound)
    };
    let disabled = |name: &str| key(name, KeyState::Disabled, KeyReason::Disabled);
    let unknown = key("team-b", KeyState::Unknown, KeyReason::NotUsedYet);
    for (keys, want) in [
        (
            vec![healthy("team-a"), unknown],
            (ConditionStatus::True, Reason::AllKeysUsable),
        ),
        (
            vec![healthy("team-a"), cooling("team-b")],
            (ConditionStatus::True, Reason::SomeKeysCooling),
        ),
        (
            vec![cooling("team-a"), cooling("team-b")],
            (ConditionStatus::True, Reason::SomeKeysCooling),
        ),
        (
            vec![healthy("team-a"), invalid("batch")],
            (ConditionStatus::False, Reason::InvalidKeys),
        ),
        (
            vec![healthy("team-a"), exhausted()],
            (ConditionStatus::False, Reason::ExhaustedKeys),
        ),
        (
            vec![healthy("team-a"), missing()],
            (ConditionStatus::False, Reason::MissingKeys),
        ),
        (
            vec![invalid("team-a"), missing()],
            (ConditionStatus::False, Reason::NoUsableKeys),
        ),
        (
            vec![invalid("team-a"), invalid("batch")],
            (ConditionStatus::False, Reason::InvalidKeys),
        ),
        (
            vec![healthy("team-a"), disabled("batch")],
            (ConditionStatus::True, Reason::AllKeysUsable),
        ),
        (
            vec![disabled("team-a"), disabled("batch")],
            (ConditionStatus::False, Reason::NoUsableKeys),
        ),
    ] {
        let states: Vec<_> = keys.iter().map(|key| key.state).collect();
        assert_eq!(
            Case::new(keys).word(ConditionType::KeysHealthy),
            want,
            "{states:?}"
        );
    }
}

#[test]
fn messages_name_the_key_the_place_and_the_remedy() {
    let mut case = Case::new(vec![
        invalid("batch"),
        key("team-a", KeyState::Exhausted, KeyReason::CreditExhausted),
        cooling("team-b"),
    ]);
    assert_eq!(
        case.check(ConditionType::KeysHealthy).unwrap().message,
        "batch is refused by the provider; replace Secret openai-keys, key batch. \
         team-a has no credit or plan left; top up its account, or replace Secret openai-keys, key team-a. \
         1 key cooling down."
    );
    case.provider.spec.credentials[1]
        .secret_key_ref
        .as_mut()
        .unwrap()
        .key = "nope".into();
    case.health.keys = vec![key("team-b", KeyState::Missing, KeyReason::SecretKeyNotFound)];
    assert_eq!(
        case.check(ConditionType::KeysHealthy).unwrap().message,
        "team-b: Secret openai-keys has no key nope; add it."
    );
}

#[test]
fn a_provider_that_nobody_uses_is_ready() {
    let mut case = Case::new(vec![key("team-a", KeyState::Unknown, KeyReason::NotInUse)]);
    case.used = ProviderUse::default();
    case.health.endpoint = None;
    assert_eq!(
        case.word(ConditionType::Ready),
        (ConditionStatus::True, Reason::Ready)
    );
    assert_eq!(
        case.word(ConditionType::KeysHealthy),
        (ConditionStatus::Unknown, Reason::NotInUse)
    );
    assert_eq!(
        case.word(ConditionType::EndpointHealthy),
        (ConditionStatus::Unknown, Reason::NotInUse)
    );
}

#[test]
fn without_reporters_states_stand_and_the_conditions_say_so() {
    let mut case = Case::new(vec![cooling("team-a"), invalid("team-b")]);
    case.used.reporters = Reporters {
        ready: 0,
        total: 2,
        settling: false,
    };
    assert_eq!(
        case.word(ConditionType::KeysHealthy),
        (ConditionStatus::Unknown, Reason::NoReporters)
    );
    assert_eq!(
        case.word(ConditionType::EndpointHealthy),
        (ConditionStatus::Unknown, Reason::NoReporters)
    );
    assert_eq!(case.status_at(at(0)).keys[0].state, KeyState::CoolingDown);
    case.used.reporters.settling = true;
    assert_eq!(
        case.word(ConditionType::KeysHealthy),
        (ConditionStatus::False, Reason::InvalidKeys)
    );
    case.health.keys = vec![key("team-a", KeyState::Missing, KeyReason::SecretNotFound)];
    case.used.reporters.settling = false;
    assert_eq!(
        case.word(ConditionType::KeysHealthy),
        (ConditionStatus::False, Reason::MissingKeys),
        "no report needed"
    );
}

#[test]
fn the_endpoint_is_told_with_where_and_remedy() {
    for (state, want) in [
        (
            Some(EndpointState::Reachable),
            (ConditionStatus::True, Reason::Reachable),
        ),
        (
            Some(EndpointState::Refused),
            (ConditionStatus::False, Reason::Refused),
        ),
        (
            Some(EndpointState::DnsFailed),
            (ConditionStatus::False, Reason::DnsFailed),
        ),
        (
            Some(EndpointState::TlsInvalid),
            (ConditionStatus::False, Reason::TlsInvalid),
        ),
        (
            Some(EndpointState::Overloaded),
            (ConditionStatus::False, Reason::Overloaded),
        ),
        (None, (ConditionStatus::Unknown, Reason::NoReporters)),
    ] {
        let mut case = Case::new(vec![healthy("team-a")]);
        case.health.endpoint = state;
        assert_eq!(case.word(ConditionType::EndpointHealthy), want);
        assert!(
            case.check(ConditionType::EndpointHealthy)
                .unwrap()
                .message
                .contains("api.openai.com")
        );
        assert_eq!(
            case.word(ConditionType::Ready).0,
            ConditionStatus::True,
            "never a key's fault"
        );
    }
    let mut case = Case::new(vec![healthy("team-a")]);
    case.health.endpoint = Some(EndpointState::Refused);
    case.provider.status = Some(case.status_at(at(0)));
    case.health.endpoint = None;
    assert_eq!(
        case.word(ConditionType::EndpointHealthy),
        (ConditionStatus::False, Reason::Refused),
        "a new leader has heard nothing"
    );
}

#[test]
fn ready_needs_one_value_that_is_switched_on() {
    let missing = |name: &str| KeyHealth {
        fingerprint: None,
        ..key(name, KeyState::Missing, KeyReason::SecretNotFound)
    };
    let mut case = Case::new(vec![missing("team-a"), missing("team-b")]);
    case.world = World::new().without(Reference::secret(NAMESPACE, "openai-keys"), -60);
    assert_eq!(
        case.word(ConditionType::Ready),
        (ConditionStatus::False, Reason::SecretNotFound)
    );
    case.health.keys.push(cooling("batch"));
    assert_eq!(
        case.word(ConditionType::Ready),
        (ConditionStatus::True, Reason::Ready)
    );
    let off = Case::new(vec![key("team-a", KeyState::Disabled, KeyReason::Disabled)]);
    assert_eq!(
        off.word(ConditionType::Ready),
        (ConditionStatus::False, Reason::NoUsableKeys)
    );
}

#[test]
fn what_is_not_accepted_is_stalled() {
    let mut case = Case::new(Vec::new());
    case.provider = provider("openai", "{type: OpenAI}");
    let status = case.status_at(at(0));
    let of = |kind| Check::stored(&status.conditions, kind).map(|check| (check.status, check.reason));
    assert_eq!(
        of(ConditionType::Accepted),
        Some((ConditionStatus::False, Reason::InvalidSpec))
    );
    assert_eq!(
        of(ConditionType::Ready),
        Some((ConditionStatus::False, Reason::InvalidSpec))
    );
    assert_eq!(
        of(ConditionType::Stalled),
        Some((ConditionStatus::True, Reason::InvalidSpec))
    );
    assert_eq!(
        of(ConditionType::KeysHealthy),
        Some((ConditionStatus::Unknown, Reason::InvalidSpec))
    );
    assert_eq!(status.observed_generation, Some(4));
    assert_eq!(status.key_summary.unwrap().display, "0/0");
    assert_eq!(
        Case::new(vec![healthy("team-a")]).check(ConditionType::Stalled),
        None
    );
}

#[test]
fn paused_stands_only_while_true_and_annotations_are_remembered() {
    let mut case = Case::new(vec![healthy("team-a")]);
    let annotations = [
        ("keypool.dev/paused", "true".to_owned()),
        ("keypool.dev/reconcile-requested-at", "x".repeat(2000)),
        ("keypool.dev/clear-cooldown", "now:team-a".to_owned()),
    ];
    case.provider.metadata.annotations = Some(
        annotations
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    );
    assert_eq!(
        case.word(ConditionType::Paused),
        (ConditionStatus::True, Reason::Paused)
    );
    let status = case.status_at(at(0));
    assert_eq!(
        status.last_handled_reconcile_at.map(|value| value.len()),
        Some(1024)
    );
    assert_eq!(status.last_handled_clear_cooldown.as_deref(), Some("now:team-a"));
    case.provider.metadata.annotations = Some([("keypool.dev/paused".to_owned(), "false".to_owned())].into());
    assert_eq!(case.check(ConditionType::Paused), None);
}

#[test]
fn at_most_eight_models_are_listed() {
    let model = |n: usize| ModelHealth {
        name: format!("m{n}"),
        state: KeyState::CoolingDown,
        reason: KeyReason::RateLimited,
        until: None,
    };
    let case = Case::new(vec![KeyHealth {
        models: (0..11).map(model).collect(),
        ..healthy("team-a")
    }]);
    let status = case.status_at(at(0));
    assert_eq!(
        (status.keys[0].models.len(), status.keys[0].more_models),
        (8, Some(3))
    );
}

#[test]
fn the_same_state_later_is_the_same_status() {
    let mut case = Case::new(vec![healthy("team-a"), cooling("team-b")]);
    case.provider.status = Some(case.status_at(at(0)));
    assert_eq!(case.status_at(at(3600)), case.status_at(at(0)));
}

#[test]
fn what_is_too_early_to_say_stands_as_it_was() {
    let mut case = Case::new(vec![healthy("team-a")]);
    case.provider.status = Some(case.status_at(at(0)));
    case.used.reporters = Reporters {
        ready: 0,
        total: 2,
        settling: true,
    };
    assert_eq!(case.status_at(at(1)), case.status_at(at(0)));
    assert_eq!(
        case.status_at(at(1)).reporting.map(|r| (r.ready, r.total)),
        Some((2, 2))
    );
}

#[test]
fn an_edit_that_cannot_be_read_is_not_accepted_and_what_was_read_serves_on() {
    let mut case = Case::new(vec![healthy("team-a")]);
    case.later = Some(5);
    for kind in [ConditionType::Accepted, ConditionType::Ready] {
        assert_eq!(
            case.word(kind),
            (ConditionStatus::False, Reason::UnsupportedValue)
        );
    }
    assert_eq!(case.word(ConditionType::KeysHealthy).0, ConditionStatus::True);
    assert_eq!(case.status_at(at(0)).observed_generation, Some(5));
    let message = case.check(ConditionType::Accepted).unwrap().message;
    assert!(
        message.starts_with("generation 5 holds a value") && message.contains("generation 4 keeps serving"),
        "{message}"
    );
    case.provider.spec.type_ = keypool_crds::v1alpha1::ProviderType::OpenAICompatible;
    assert_eq!(
        case.word(ConditionType::Accepted),
        (ConditionStatus::False, Reason::UnsupportedValue),
        "what was read was refused"
    );
}
