use keypool_contract::Document;
use keypool_contract::document::Content;
use keypool_contract::exchange::ExchangeResponse;
use keypool_contract::verdict::{CoolingReason, Finding, Scope, Verdict, VerdictId};
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus, ModelProviderStatus};

use super::{ProviderHealth, ProviderUse, Reporters, health};
use crate::controller::load_balance_group::build::document::content;
use crate::controller::model_provider::ValidatedProvider;
use crate::fixtures::{CHAT, NAMESPACE, OPENAI, World, group, material, provider};
use crate::ledger::{DocumentScope, Ledger};
use crate::moment::Moment;
use crate::moment::tests::at;
use crate::reference::Reference;

/// A provider with what pods say about it.
struct Case {
    provider: ValidatedProvider,
    used: ProviderUse,
    ledger: Ledger,
    scope: DocumentScope,
    sequence: u64,
    old: Option<ModelProviderStatus>,
}

impl Case {
    fn new(spec: &str) -> Self {
        let provider = provider("openai", spec);
        let group = World::new().valid_group(&group("chat", CHAT), &[&provider]);
        let content: Content = content(&group, &material(), None);
        let models = ["gpt-4.1", "gpt-4.1-mini"];
        Self {
            provider: World::new().valid(&provider),
            used: ProviderUse {
                groups: ["chat".to_owned()].into(),
                models: models.map(str::to_owned).into(),
                reporters: Reporters {
                    ready: 2,
                    total: 2,
                    settling: false,
                },
            },
            ledger: Ledger::default(),
            scope: DocumentScope::of(&Document::new("l".into(), 1, content)),
            sequence: 0,
            old: None,
        }
    }

    fn fingerprint(&self, name: &str) -> String {
        let credential = self.provider.credentials.iter().find(|c| c.name == name).unwrap();
        credential.value.fingerprint().unwrap().to_owned()
    }

    fn scope_of(&self, name: &str) -> Scope {
        Scope {
            fingerprint: self.fingerprint(name),
            quota_group: false,
            model: None,
        }
    }

    fn say(&mut self, finding: Finding, now: Moment) {
        self.sequence += 1;
        let response = ExchangeResponse {
            instance: "pod".into(),
            acknowledgement: Default::default(),
            snapshot: false,
            verdicts: vec![Verdict {
                id: VerdictId {
                    instance: "pod".into(),
                    sequence: self.sequence,
                },
                provider: "uid-openai".into(),
                finding,
                age_ms: 0,
            }],
            sequence: self.sequence,
        };
        assert_eq!(self.ledger.receive(&self.scope, &response, now).dropped, 0);
    }

    fn limit(&mut self, name: &str, model: Option<&str>, seconds: u64, now: Moment) {
        let scope = Scope {
            model: model.map(str::to_owned),
            ..self.scope_of(name)
        };
        self.say(
            Finding::Cooling {
                scope,
                reason: CoolingReason::RateLimited,
                remaining_ms: seconds * 1000,
                soft: false,
            },
            now,
        );
    }

    fn exhaust_group_of(&mut self, name: &str, seconds: u64, now: Moment) {
        let scope = Scope {
            quota_group: true,
            ..self.scope_of(name)
        };
        self.say(
            Finding::Exhausted {
                scope,
                remaining_ms: seconds * 1000,
            },
            now,
        );
    }

    fn health(&self, now: Moment) -> ProviderHealth {
        health(&self.provider, &self.used, &self.ledger, self.old.as_ref(), now)
    }

    /// (state, reason, seconds from `at(0)` to `until`) of one key.
    fn key(&self, name: &str, now: Moment) -> (KeyState, KeyReason, Option<i64>) {
        let health = self.health(now);
        let key = health.keys.iter().find(|key| key.name == name).unwrap();
        (
            key.state,
            key.reason,
            key.until.map(|until| until.as_second() - at(0).wall.as_second()),
        )
    }

    /// As if the status had been written now.
    fn store(&mut self, now: Moment) {
        use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
        use keypool_crds::v1alpha1::KeyModelStatus;
        let keys = self.health(now).keys.into_iter().map(|key| KeyStatus {
            name: key.name,
            state: key.state,
            reason: key.reason,
            since: Some(Time(key.since)),
            until: key.until.map(Time),
            fingerprint: key.fingerprint,
            quota_group: key.quota_group,
            models: key
                .models
                .into_iter()
                .map(|m| KeyModelStatus {
                    name: m.name,
                    state: m.state,
                    reason: m.reason,
                    until: m.until.map(Time),
                })
                .collect(),
            more_models: None,
        });
        self.old = Some(ModelProviderStatus {
            keys: keys.collect(),
            ..ModelProviderStatus::default()
        });
    }
}

#[test]
fn a_key_goes_through_its_life() {
    let mut case = Case::new(OPENAI);
    let name = "team-a";
    let fingerprint = case.fingerprint(name);
    assert_eq!(
        case.key(name, at(0)),
        (KeyState::Unknown, KeyReason::NotUsedYet, None)
    );
    case.say(
        Finding::NotVerifiable {
            fingerprint: fingerprint.clone(),
        },
        at(1),
    );
    assert_eq!(
        case.key(name, at(1)),
        (KeyState::Unknown, KeyReason::NotVerifiable, None)
    );
    case.say(
        Finding::Proven {
            fingerprint: fingerprint.clone(),
        },
        at(2),
    );
    assert_eq!(
        case.key(name, at(2)),
        (KeyState::Healthy, KeyReason::Proven, None)
    );
    case.limit(name, None, 45, at(3));
    // 10:41:07 + 48 s, rounded up to 10:42:00.
    assert_eq!(
        case.key(name, at(3)),
        (KeyState::CoolingDown, KeyReason::RateLimited, Some(53))
    );
    assert_eq!(
        case.key(name, at(48)),
        (KeyState::Healthy, KeyReason::CooldownOver, None)
    );
    let pod = |sequence| VerdictId {
        instance: "pod".into(),
        sequence,
    };
    case.say(
        Finding::Refuted {
            verdicts: vec![pod(3)],
        },
        at(49),
    );
    assert_eq!(
        case.key(name, at(49)),
        (KeyState::Healthy, KeyReason::Proven, None)
    );
    case.say(
        Finding::Exhausted {
            scope: case.scope_of(name),
            remaining_ms: 600_000,
        },
        at(50),
    );
    assert_eq!(case.key(name, at(50)).0, KeyState::Exhausted);
    case.say(Finding::Invalid { fingerprint }, at(51));
    assert_eq!(
        case.key(name, at(51)),
        (KeyState::Invalid, KeyReason::RefusedByProvider, None)
    );
    case.say(
        Finding::Refuted {
            verdicts: vec![pod(5), pod(6)],
        },
        at(60),
    );
    assert_eq!(
        case.key(name, at(60)),
        (KeyState::Healthy, KeyReason::Proven, None)
    );
}

#[test]
fn the_spec_and_the_value_decide_before_any_verdict() {
    let spec = "
type: OpenAI
credentials:
- {name: off, state: Disabled, secretKeyRef: {name: openai-keys, key: team-a}}
- {name: drained, weight: 0, secretKeyRef: {name: openai-keys, key: team-a}}
- {name: off-and-missing, state: Disabled, secretKeyRef: {name: nowhere, key: a}}
- {name: missing, secretKeyRef: {name: nowhere, key: a}}
- {name: no-key, secretKeyRef: {name: openai-keys, key: nope}}
";
    let mut case = Case::new(spec);
    case.say(
        Finding::Invalid {
            fingerprint: case.fingerprint("off"),
        },
        at(0),
    );
    for (name, want) in [
        ("off", (KeyState::Disabled, KeyReason::Disabled)),
        ("drained", (KeyState::Disabled, KeyReason::Drained)),
        ("off-and-missing", (KeyState::Disabled, KeyReason::Disabled)),
        ("missing", (KeyState::Missing, KeyReason::SecretNotFound)),
        ("no-key", (KeyState::Missing, KeyReason::SecretKeyNotFound)),
    ] {
        let (state, reason, _) = case.key(name, at(0));
        assert_eq!((state, reason), want, "{name}");
    }
}

#[test]
fn a_provider_that_nobody_uses_has_unknown_keys() {
    let mut case = Case::new(OPENAI);
    case.used = ProviderUse::default();
    assert_eq!(
        case.key("team-a", at(0)),
        (KeyState::Unknown, KeyReason::NotInUse, None)
    );
}

#[test]
fn a_rest_of_which_less_than_ten_seconds_remain_does_not_appear_but_stays_once_it_has() {
    let mut case = Case::new(OPENAI);
    case.limit("team-a", None, 9, at(0));
    assert_eq!(case.key("team-a", at(0)).0, KeyState::Unknown);
    assert_eq!(
        case.key("team-a", at(9)).1,
        KeyReason::NotUsedYet,
        "and neither does its end"
    );
    case.limit("team-b", None, 12, at(0));
    assert_eq!(
        case.key("team-b", at(3)).0,
        KeyState::Unknown,
        "written too late to be worth it"
    );
    assert_eq!(case.key("team-b", at(1)).0, KeyState::CoolingDown);
    case.store(at(1));
    assert_eq!(case.key("team-b", at(11)).0, KeyState::CoolingDown);
    assert_eq!(case.key("team-b", at(12)).0, KeyState::Healthy);
}

#[test]
fn a_key_rests_when_no_model_in_use_is_left_on_it() {
    let mut case = Case::new(OPENAI);
    case.limit("team-a", Some("gpt-4.1"), 60, at(0));
    case.limit("team-a", Some("not-in-use"), 600, at(0));
    let health = case.health(at(0));
    let key = &health.keys[0];
    assert!(key.state.usable());
    let listed: Vec<_> = key.models.iter().map(|m| (m.name.as_str(), m.state)).collect();
    assert_eq!(
        listed,
        [
            ("gpt-4.1", KeyState::CoolingDown),
            ("not-in-use", KeyState::CoolingDown)
        ]
    );
    assert_eq!(key.state_for("gpt-4.1"), KeyState::CoolingDown);
    assert_eq!(key.state_for("gpt-4.1-mini"), KeyState::Unknown);

    case.limit("team-a", Some("gpt-4.1-mini"), 30, at(0));
    assert_eq!(
        case.key("team-a", at(0)),
        (KeyState::CoolingDown, KeyReason::RateLimited, Some(33)),
        "until the first is back"
    );
    assert_eq!(case.health(at(0)).keys[0].models.len(), 3);
    assert!(case.health(at(30)).keys[0].state.usable());
}

#[test]
fn only_models_that_a_key_serves_count() {
    let spec = "
type: OpenAI
credentials:
- {name: mini, models: [gpt-4.1-mini], secretKeyRef: {name: openai-keys, key: team-a}}
";
    let mut case = Case::new(spec);
    case.limit("mini", Some("gpt-4.1-mini"), 60, at(0));
    assert_eq!(case.key("mini", at(0)).0, KeyState::CoolingDown);
    assert!(!case.health(at(0)).keys[0].serves("gpt-4.1"));
}

#[test]
fn since_and_until_stand_still_while_nothing_happens() {
    let mut case = Case::new(OPENAI);
    case.limit("team-a", None, 45, at(0));
    case.store(at(0));
    for seconds in [1, 20, 44] {
        // The two clocks drift against each other.
        let mut now = at(seconds);
        now.wall = now
            .wall
            .checked_add(std::time::Duration::from_millis(700))
            .unwrap();
        let before = &case.old.as_ref().unwrap().keys[0];
        let key = case.health(now).keys.remove(0);
        assert_eq!(Some(key.since), before.since.as_ref().map(|time| time.0));
        assert_eq!(key.until, before.until.as_ref().map(|time| time.0));
    }
    case.limit("team-a", None, 60, at(30));
    assert_eq!(case.key("team-a", at(30)).2, Some(93), "a later end counts");
}

#[test]
fn a_quota_group_is_told_of_every_key_in_it() {
    let spec = "
type: OpenAI
credentials:
- {name: a, quotaGroup: org, secretKeyRef: {name: openai-keys, key: team-a}}
- {name: b, quotaGroup: org, secretKeyRef: {name: openai-keys, key: team-b}}
- {name: c, secretKeyRef: {name: openai-keys, key: batch}}
- {name: d, secretKeyRef: {name: openai-keys, key: batch}}
";
    let mut case = Case::new(spec);
    case.exhaust_group_of("a", 600, at(0));
    case.limit("c", None, 60, at(0));
    let states: Vec<_> = case.health(at(0)).keys.iter().map(|key| key.state).collect();
    assert_eq!(
        states,
        [
            KeyState::Exhausted,
            KeyState::Exhausted,
            KeyState::CoolingDown,
            KeyState::CoolingDown
        ],
        "two entries of one value are one"
    );
}

#[test]
fn a_key_whose_secret_is_away_for_a_moment_keeps_its_state() {
    let mut case = Case::new(OPENAI);
    case.say(
        Finding::Invalid {
            fingerprint: case.fingerprint("team-a"),
        },
        at(0),
    );
    case.store(at(0));
    let away = |world: World| world.without(Reference::secret(NAMESPACE, "openai-keys"), 0);
    case.provider = away(World::new()).at(5).valid(&provider("openai", OPENAI));
    assert_eq!(case.key("team-a", at(5)).0, KeyState::Invalid);
    assert_eq!(case.health(at(5)).next_change, Some(at(30).monotonic));
    case.provider = away(World::new()).at(30).valid(&provider("openai", OPENAI));
    assert_eq!(
        case.key("team-a", at(30)),
        (KeyState::Missing, KeyReason::SecretNotFound, None)
    );
}

#[test]
fn a_quota_group_rests_on_while_the_value_that_met_the_limit_is_away_for_a_moment() {
    let spec = "
type: OpenAI
credentials:
- {name: a, quotaGroup: org, secretKeyRef: {name: openai-keys, key: team-a}}
- {name: b, quotaGroup: org, secretKeyRef: {name: more-keys, key: team-b}}
";
    let mut case = Case::new(spec);
    let world = || World::new().secret("more-keys", &[("team-b", "sk-b")]);
    case.provider = world().valid(&provider("openai", spec));
    case.exhaust_group_of("a", 600, at(0));
    case.store(at(0));
    let away = |world: World| world.without(Reference::secret(NAMESPACE, "openai-keys"), 0);
    for (second, states) in [
        (5, [KeyState::Exhausted; 2]),
        (30, [KeyState::Missing, KeyState::Unknown]),
    ] {
        case.provider = away(world()).at(second).valid(&provider("openai", spec));
        let keys = case.health(at(second)).keys;
        let told: Vec<_> = keys.iter().map(|key| key.state).collect();
        assert_eq!(told, states, "{second}");
    }
}

#[test]
fn a_new_value_starts_fresh() {
    let mut case = Case::new(OPENAI);
    case.say(
        Finding::Invalid {
            fingerprint: case.fingerprint("team-a"),
        },
        at(0),
    );
    case.store(at(0));
    let world = World::new().secret(
        "openai-keys",
        &[("team-a", "sk-new"), ("team-b", "sk-b"), ("batch", "sk-c")],
    );
    case.provider = world.valid(&provider("openai", OPENAI));
    assert_eq!(
        case.key("team-a", at(9)),
        (KeyState::Unknown, KeyReason::NotUsedYet, None)
    );
    assert_eq!(
        case.health(at(9)).keys[0].since,
        at(9).wall,
        "the old value's times are not its own"
    );
}
