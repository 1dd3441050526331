use super::{
    BTreeMap, Case, Check, ConditionStatus, ConditionType, EndpointState, KeyHealth, KeyReason, KeyState,
    MemberReason, MemberState, ModelHealth, NO, Reason, YES, at, health, key, provider,
};

fn states(case: &Case) -> Vec<(MemberState, MemberReason, i32, i32)> {
    let members = case.status(at(1)).members;
    members
        .into_iter()
        .map(|m| (m.state, m.reason, m.usable_keys, m.total_keys))
        .collect()
}

/// The first member with keys in these states.
fn first(keys: &[KeyState]) -> (MemberState, MemberReason, i32, i32) {
    let mut case = Case::new();
    let keys = keys
        .iter()
        .enumerate()
        .map(|(n, state)| key(&format!("k{n}"), *state))
        .collect();
    case.health.insert("uid-openai".to_owned(), health(keys));
    states(&case)[0]
}

#[test]
fn a_member_is_as_good_as_its_keys() {
    use KeyState::{CoolingDown, Disabled, Exhausted, Healthy, Invalid, Unknown};
    for (keys, want) in [
        (
            &[Healthy, Unknown][..],
            (MemberState::Healthy, MemberReason::AllKeysUsable, 2, 2),
        ),
        (
            &[Healthy, CoolingDown],
            (MemberState::Degraded, MemberReason::SomeKeysCooling, 1, 2),
        ),
        (
            &[Healthy, Invalid, CoolingDown],
            (MemberState::Degraded, MemberReason::SomeKeysUnusable, 1, 3),
        ),
        (
            &[Healthy, Disabled],
            (MemberState::Degraded, MemberReason::SomeKeysUnusable, 1, 2),
        ),
        (
            &[CoolingDown, Invalid],
            (MemberState::CoolingDown, MemberReason::AllKeysCooling, 0, 2),
        ),
        (
            &[Invalid, Exhausted],
            (MemberState::Unusable, MemberReason::NoUsableKeys, 0, 2),
        ),
        (&[], (MemberState::Unusable, MemberReason::NoUsableKeys, 0, 0)),
    ] {
        assert_eq!(first(keys), want, "{keys:?}");
    }
}

#[test]
fn only_keys_and_rests_of_its_own_model_count() {
    let mut case = Case::new();
    let rest = |name: &str| ModelHealth {
        name: name.into(),
        state: KeyState::CoolingDown,
        reason: KeyReason::RateLimited,
        until: None,
    };
    let keys = vec![
        KeyHealth {
            models: vec![rest("gpt-4.1")],
            ..key("a", KeyState::Healthy)
        },
        KeyHealth {
            models: vec![rest("other")],
            ..key("b", KeyState::Healthy)
        },
        KeyHealth {
            serves: vec!["other".into()],
            ..key("c", KeyState::Healthy)
        },
    ];
    case.health.insert("uid-openai".to_owned(), health(keys));
    assert_eq!(
        states(&case)[0],
        (MemberState::Degraded, MemberReason::SomeKeysCooling, 1, 2)
    );
}

#[test]
fn a_member_may_be_drained_unreached_or_unresolved() {
    let mut case = Case::new();
    case.group.spec.members[0].weight = 0;
    assert_eq!(states(&case)[0].0, MemberState::Drained);
    for (endpoint, want) in [
        (EndpointState::Refused, MemberState::Unusable),
        (EndpointState::DnsFailed, MemberState::Unusable),
        (EndpointState::TlsInvalid, MemberState::Unusable),
        (EndpointState::Overloaded, MemberState::Healthy),
    ] {
        let mut case = Case::new();
        case.health.get_mut("uid-openai").unwrap().endpoint = Some(endpoint);
        assert_eq!(states(&case)[0].0, want);
    }
    let mut case = Case::new();
    case.providers[0] = provider("openai", "{type: OpenAI}");
    case.providers.pop();
    let got: Vec<_> = states(&case)
        .into_iter()
        .map(|(state, reason, ..)| (state, reason))
        .collect();
    assert_eq!(
        got,
        [
            (MemberState::Unresolved, MemberReason::ProviderNotAccepted),
            (MemberState::Unresolved, MemberReason::ProviderNotFound)
        ]
    );
}

#[test]
fn members_healthy_is_false_for_members_that_cannot_serve() {
    let mut case = Case::new();
    assert_eq!(
        case.word(ConditionType::MembersHealthy, at(1)),
        (YES, Reason::AllMembersUsable)
    );
    case.health.insert(
        "uid-openai".to_owned(),
        health(vec![key("a", KeyState::CoolingDown)]),
    );
    assert_eq!(
        case.word(ConditionType::MembersHealthy, at(1)),
        (YES, Reason::AllMembersUsable),
        "normal operation"
    );
    case.health
        .insert("uid-openai".to_owned(), health(vec![key("a", KeyState::Invalid)]));
    assert_eq!(
        case.word(ConditionType::MembersHealthy, at(1)),
        (NO, Reason::SomeMembersUnusable)
    );
    let message = case.check(ConditionType::MembersHealthy, at(1)).unwrap().message;
    assert_eq!(
        message,
        "openai: no key of ModelProvider openai can serve; its condition KeysHealthy says what to mend."
    );
    assert_eq!(
        case.word(ConditionType::Ready, at(1)).0,
        YES,
        "the other member serves"
    );
    let mut unreached = Case::new();
    unreached.health.get_mut("uid-openai").unwrap().endpoint = Some(EndpointState::Refused);
    let told = unreached.check(ConditionType::MembersHealthy, at(1)).unwrap();
    assert_eq!(
        (told.status, told.reason, told.message.as_str()),
        (
            YES,
            Reason::AllMembersUsable,
            "openai: no proxy reaches ModelProvider openai; its condition EndpointHealthy says why."
        ),
        "it may come back by itself"
    );
    case.health = BTreeMap::new();
    assert_eq!(
        case.word(ConditionType::MembersHealthy, at(1)),
        (NO, Reason::NoUsableMembers)
    );
    assert_eq!(case.status(at(1)).member_summary.unwrap().display, "0/2");
}

#[test]
fn without_reporters_nothing_is_claimed_but_what_is_known_here() {
    let mut case = Case::new();
    let silent = at(600);
    assert_eq!(
        case.word(ConditionType::MembersHealthy, silent),
        (ConditionStatus::Unknown, Reason::NoReporters)
    );
    case.providers.pop();
    assert_eq!(
        case.word(ConditionType::MembersHealthy, silent),
        (NO, Reason::SomeMembersUnusable)
    );
}

/// Nothing is written, and the pods serve on with what they were told last.
#[test]
fn a_provider_that_was_never_read_changes_only_what_is_said_of_the_spec() {
    let mut case = Case::new();
    case.store(at(0));
    let before = case.status(at(1));
    let gone = std::mem::take(&mut case.providers);
    case.health.clear();
    case.unreadable = vec!["vllm".to_owned(), "openai".to_owned()];
    for kind in [ConditionType::Accepted, ConditionType::Ready] {
        assert_eq!(case.word(kind, at(1)), (NO, Reason::UnsupportedValue));
    }
    let told = case.check(ConditionType::Accepted, at(1)).unwrap().message;
    assert!(
        told.starts_with("members[openai].providerRef: ModelProvider openai holds a value")
            && told.ends_with("The last configuration keeps serving."),
        "{told}"
    );
    let now = case.status(at(1));
    assert_eq!(
        (&now.members, &now.key_summary, &now.member_summary),
        (&before.members, &before.key_summary, &before.member_summary)
    );
    for kind in [
        ConditionType::ResolvedRefs,
        ConditionType::Programmed,
        ConditionType::Available,
        ConditionType::MembersHealthy,
    ] {
        assert_eq!(
            case.check(kind, at(1)),
            Check::stored(&before.conditions, kind),
            "{kind:?}"
        );
    }
    case.fleet.pods.clear();
    assert_eq!(
        case.word(ConditionType::Available, at(1)),
        (NO, Reason::NoReadyProxies),
        "pods come and go all the same"
    );

    case.group.status = None;
    case.applied = None;
    let told = case.check(ConditionType::Accepted, at(1)).unwrap().message;
    assert!(!told.contains("keeps serving"), "{told}");
    assert_eq!(
        case.word(ConditionType::MembersHealthy, at(1)).0,
        ConditionStatus::Unknown
    );
    case.providers.extend(gone);
    case.unreadable.clear();
    assert!(case.check(ConditionType::Accepted, at(1)).unwrap().holds());
}
