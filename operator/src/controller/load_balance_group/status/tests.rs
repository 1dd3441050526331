use std::collections::BTreeMap;

use keypool_contract::document::{DocumentHash, Stamp};
use keypool_contract::exchange::Acknowledgement;
use keypool_contract::verdict::EndpointState;
use keypool_contract::{ConfigError, ConfigErrorCode};
use keypool_crds::v1alpha1::{
    ConditionStatus, ConditionType, KeyReason, KeyState, LoadBalanceGroup, LoadBalanceGroupStatus,
    MemberReason, MemberState, ModelProvider, Reason,
};

use super::{
    Applied, Conflict, Desired, Failure, Fleet, Observed, PodExchange, PodView, next_change, status_before,
};
use crate::conditions::Check;
use crate::controller::load_balance_group::validate::Providers;
use crate::controller::model_provider::{KeyHealth, ModelHealth, ProviderHealth};
use crate::fixtures::{CHAT, OPENAI, VLLM, World, group, provider};
use crate::moment::tests::at;
use crate::moment::{Moment, Monotonic};

mod failure;
mod members;
mod programmed;

const LINEAGE: &str = "0123456789abcdef";
/// A leader that has led for a while.
const LONG_AGO: i64 = -3600;

fn hash(generation: u64) -> DocumentHash {
    DocumentHash(format!("hash-{generation}"))
}

fn desired(generation: u64, spec_since: u64) -> Desired {
    Desired {
        stamp: Stamp {
            schema_version: 1,
            lineage: LINEAGE.into(),
            generation,
        },
        hash: hash(generation),
        spec_since,
        spec_generation: 2,
    }
}

fn key(name: &str, state: KeyState) -> KeyHealth {
    KeyHealth {
        name: name.into(),
        state,
        reason: KeyReason::Proven,
        since: at(0).wall,
        until: None,
        fingerprint: Some("7f3a91c2".into()),
        quota_group: None,
        models: Vec::new(),
        serves: Vec::new(),
    }
}

fn health(keys: Vec<KeyHealth>) -> ProviderHealth {
    ProviderHealth {
        keys,
        endpoint: Some(EndpointState::Reachable),
        next_change: None,
    }
}

/// A pod that was heard at that second and runs that generation.
fn pod(name: &str, generation: u64, heard: i64) -> PodView {
    PodView {
        name: name.into(),
        terminating: false,
        running: true,
        ready: true,
        running_since: at(LONG_AGO).monotonic,
        exchange: Some(PodExchange {
            instance: format!("instance-{name}"),
            acknowledgement: Acknowledgement {
                lineage: LINEAGE.into(),
                generation,
                hash: Some(hash(generation)),
                last_error: None,
            },
            heard: at(heard).monotonic,
        }),
    }
}

/// A pod of which nothing was heard yet.
fn unheard(name: &str, running_since: i64) -> PodView {
    PodView {
        exchange: None,
        running_since: at(running_since).monotonic,
        ..pod(name, 0, 0)
    }
}

struct Case {
    group: LoadBalanceGroup,
    providers: Vec<ModelProvider>,
    unreadable: Vec<String>,
    later: Option<i64>,
    refused: Option<Check>,
    applied: Option<Applied>,
    failure: Option<Failure>,
    fleet: Fleet,
    health: BTreeMap<String, ProviderHealth>,
}

impl Case {
    /// The example with two pods that run generation 3, the first of its spec.
    fn new() -> Self {
        let keys = vec![
            key("team-a", KeyState::Healthy),
            key("team-b", KeyState::Unknown),
            key("batch", KeyState::Healthy),
        ];
        Self {
            group: group("chat", CHAT),
            providers: vec![provider("openai", OPENAI), provider("vllm", VLLM)],
            unreadable: Vec::new(),
            later: None,
            refused: None,
            applied: Some(Applied {
                desired: desired(3, 3),
                spec_written: at(-60).monotonic,
                conflicts: Vec::new(),
            }),
            failure: None,
            fleet: Fleet {
                wanted: 2,
                pods: vec![pod("a", 3, 0), pod("b", 3, 0)],
                leading_since: at(LONG_AGO).monotonic,
            },
            health: BTreeMap::from([
                ("uid-openai".to_owned(), health(keys)),
                (
                    "uid-vllm".to_owned(),
                    health(vec![key("anonymous", KeyState::Healthy)]),
                ),
            ]),
        }
    }

    fn observe<R>(&self, now: Moment, look: impl FnOnce(&Observed<'_>) -> R) -> R {
        let world = World::new();
        let providers: Vec<&ModelProvider> = self.providers.iter().collect();
        let judged = crate::controller::load_balance_group::validate::validate(
            &self.group,
            Providers {
                unreadable: self.unreadable.iter().cloned().collect(),
                ..world.providers(&providers)
            },
            &world.around(),
        );
        look(&Observed {
            group: &self.group,
            judged: judged.as_ref(),
            refused: self.refused.as_ref(),
            applied: self.applied.as_ref(),
            failure: self.failure.as_ref(),
            fleet: &self.fleet,
            health: &self.health,
            endpoint: "http://chat-keypool.team.svc",
            now,
        })
    }

    fn status(&self, now: Moment) -> LoadBalanceGroupStatus {
        self.observe(now, |observed| status_before(observed, self.later))
    }

    fn next_change(&self, now: Moment) -> Option<Monotonic> {
        self.observe(now, next_change)
    }

    /// As if the status had been written then.
    fn store(&mut self, now: Moment) {
        self.group.status = Some(self.status(now));
    }

    fn check(&self, kind: ConditionType, now: Moment) -> Option<Check> {
        Check::stored(&self.status(now).conditions, kind)
    }

    fn word(&self, kind: ConditionType, now: Moment) -> (ConditionStatus, Reason) {
        let check = self.check(kind, now).unwrap();
        (check.status, check.reason)
    }

    /// Another spec, written at that second under generation 4.
    fn edit(&mut self, second: i64) {
        self.group.metadata.generation = Some(3);
        let applied = self.applied.as_mut().unwrap();
        applied.desired = Desired {
            spec_generation: 3,
            ..desired(4, 4)
        };
        applied.spec_written = at(second).monotonic;
    }
}

const YES: ConditionStatus = ConditionStatus::True;
const NO: ConditionStatus = ConditionStatus::False;

#[test]
fn a_group_in_order() {
    insta::assert_yaml_snapshot!("in_order", Case::new().status(at(1)));
}

#[test]
fn the_same_state_later_is_the_same_status() {
    let mut case = Case::new();
    case.store(at(1));
    case.fleet.pods = vec![pod("a", 3, 600), pod("b", 3, 600)];
    assert_eq!(case.status(at(601)), case.status(at(602)));
    assert_eq!(Some(case.status(at(601))), case.group.status);
}

#[test]
fn a_taken_name_is_told_and_the_rest_keeps_serving() {
    let mut case = Case::new();
    case.applied.as_mut().unwrap().conflicts = vec![Conflict {
        kind: "Secret".into(),
        name: "chat-client".into(),
    }];
    assert_eq!(
        case.word(ConditionType::Accepted, at(1)),
        (NO, Reason::NameConflict)
    );
    assert_eq!(case.word(ConditionType::Ready, at(1)), (NO, Reason::NameConflict));
    assert_eq!(
        case.word(ConditionType::Stalled, at(1)),
        (YES, Reason::NameConflict)
    );
    assert_eq!(
        case.word(ConditionType::Programmed, at(1)),
        (YES, Reason::Programmed)
    );
    let message = case.check(ConditionType::Accepted, at(1)).unwrap().message;
    assert!(
        message.starts_with("Secret chat-client exists and does not belong to this group; delete it"),
        "{message}"
    );
}

#[test]
fn a_build_that_was_refused_is_told() {
    let mut case = Case::new();
    case.refused = Some(Check::no(Reason::ConfigTooLarge, "too large."));
    let told = Check::no(
        Reason::ConfigTooLarge,
        "too large. The last configuration keeps serving.",
    );
    for kind in [ConditionType::Accepted, ConditionType::Ready] {
        assert_eq!(case.check(kind, at(1)), Some(told.clone()));
    }
    case.applied = None;
    assert_eq!(
        case.check(ConditionType::Accepted, at(1)),
        case.refused,
        "a new group has no last one"
    );
}

#[test]
fn a_spec_that_is_not_accepted_leaves_what_was_said_of_the_last_good_one() {
    let mut case = Case::new();
    case.store(at(1));
    case.group.metadata.generation = Some(3);
    case.group.spec.members.clear();
    let status = case.status(at(2));
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(
        case.word(ConditionType::Accepted, at(2)),
        (NO, Reason::InvalidSpec)
    );
    assert_eq!(
        case.word(ConditionType::Programmed, at(2)),
        (YES, Reason::Programmed)
    );
    assert_eq!(case.word(ConditionType::Ready, at(2)), (NO, Reason::InvalidSpec));
    assert_eq!(
        case.word(ConditionType::Stalled, at(2)),
        (YES, Reason::InvalidSpec)
    );
    assert_eq!(status.members.len(), 2);
    let speaks_of = |status: &LoadBalanceGroupStatus| -> Vec<_> {
        let conditions = status.conditions.iter();
        conditions
            .map(|c| (c.type_.clone(), c.observed_generation.unwrap()))
            .collect()
    };
    let want = [
        ("Accepted", 3),
        ("ResolvedRefs", 2),
        ("Programmed", 2),
        ("Available", 2),
        ("MembersHealthy", 2),
        ("Ready", 3),
        ("Stalled", 3),
    ];
    assert_eq!(
        speaks_of(&status),
        want.map(|(kind, generation)| (kind.to_owned(), generation))
    );
    case.fleet.pods.clear();
    assert_eq!(
        case.word(ConditionType::Programmed, at(2)),
        (NO, Reason::NoProxies),
        "pods come and go all the same"
    );
    assert_eq!(
        case.word(ConditionType::Available, at(2)),
        (NO, Reason::NoReadyProxies)
    );
    let mut fresh = Case::new();
    fresh.applied = None;
    fresh.group.spec.members.clear();
    assert_eq!(
        fresh.word(ConditionType::Programmed, at(2)),
        (ConditionStatus::Unknown, Reason::InvalidSpec)
    );
}

#[test]
fn before_anything_is_written_nothing_is_claimed() {
    let mut case = Case::new();
    case.applied = None;
    case.fleet.pods.clear();
    assert_eq!(
        case.word(ConditionType::Programmed, at(0)),
        (ConditionStatus::Unknown, Reason::Pending)
    );
    assert_eq!(
        case.word(ConditionType::Ready, at(0)),
        (NO, Reason::NoReadyProxies)
    );
    assert_eq!(
        case.word(ConditionType::Reconciling, at(0)),
        (YES, Reason::Progressing)
    );
    assert_eq!(case.status(at(0)).config, None);
}

#[test]
fn available_needs_a_ready_pod_and_a_target() {
    let mut case = Case::new();
    assert_eq!(
        case.word(ConditionType::Available, at(1)),
        (YES, Reason::Available)
    );
    for pod in &mut case.fleet.pods {
        pod.ready = false;
    }
    assert_eq!(
        case.word(ConditionType::Available, at(1)),
        (NO, Reason::NoReadyProxies)
    );
    case.fleet.wanted = 0;
    assert_eq!(
        case.word(ConditionType::Available, at(1)),
        (NO, Reason::ScaledToZero)
    );

    for (state, want) in [
        (KeyState::Healthy, true),
        (KeyState::Unknown, true),
        (KeyState::CoolingDown, true),
        (KeyState::Exhausted, false),
        (KeyState::Invalid, false),
        (KeyState::Missing, false),
        (KeyState::Malformed, false),
        (KeyState::Disabled, false),
    ] {
        let mut case = Case::new();
        case.health = BTreeMap::from([("uid-openai".to_owned(), health(vec![key("team-a", state)]))]);
        let word = case.word(ConditionType::Available, at(1));
        assert_eq!(
            word,
            if want {
                (YES, Reason::Available)
            } else {
                (NO, Reason::NoUsableTargets)
            },
            "{state}"
        );
    }
    let mut case = Case::new();
    case.providers.pop();
    case.health = BTreeMap::from([(
        "uid-openai".to_owned(),
        health(vec![key("team-a", KeyState::Missing)]),
    )]);
    assert_eq!(
        case.check(ConditionType::Available, at(1)).unwrap().message,
        "openai: no key of ModelProvider openai can serve; its condition KeysHealthy says what to mend. vllm: ModelProvider vllm does not exist; create it, or correct members[vllm].providerRef."
    );
    let mut drained = Case::new();
    for member in &mut drained.group.spec.members {
        member.weight = 0;
    }
    assert_eq!(
        drained.word(ConditionType::Available, at(1)),
        (NO, Reason::NoUsableTargets)
    );
}
