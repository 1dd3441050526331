use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use keypool_crds::v1alpha1::{KeyReason, KeyState, KeyStatus, LoadBalanceGroupStatus, ModelProviderStatus};

use super::{Change, Comparable};
use crate::moment::tests::at;

fn status() -> ModelProviderStatus {
    ModelProviderStatus {
        observed_generation: Some(1),
        conditions: vec![Condition {
            type_: "Ready".into(),
            status: "True".into(),
            reason: "Ready".into(),
            message: "1/1 keys usable".into(),
            observed_generation: Some(1),
            last_transition_time: Time(at(0).wall),
        }],
        keys: vec![KeyStatus {
            name: "a".into(),
            state: KeyState::CoolingDown,
            reason: KeyReason::RateLimited,
            since: Some(Time(at(0).wall)),
            until: Some(Time(at(60).wall)),
            fingerprint: Some("f".into()),
            quota_group: None,
            models: Vec::new(),
            more_models: None,
        }],
        ..ModelProviderStatus::default()
    }
}

#[test]
fn only_what_people_act_on_is_a_change() {
    type Edit = fn(&mut ModelProviderStatus);
    let edits: [(Edit, Change); 10] = [
        (|_| {}, Change::None),
        (
            |s| s.conditions[0].last_transition_time = Time(at(9).wall),
            Change::None,
        ),
        (|s| s.keys[0].since = Some(Time(at(9).wall)), Change::None),
        (|s| s.keys[0].until = Some(Time(at(70).wall)), Change::Detail),
        (
            |s| s.conditions[0].message = "2/2 keys usable".into(),
            Change::Detail,
        ),
        (|s| s.keys[0].state = KeyState::Healthy, Change::Transition),
        (|s| s.keys[0].state = KeyState::Invalid, Change::Urgent),
        (|s| s.conditions[0].status = "False".into(), Change::Urgent),
        (|s| s.observed_generation = Some(2), Change::Reply),
        (|s| s.keys[0].fingerprint = Some("g".into()), Change::Reply),
    ];
    for (number, (edit, want)) in edits.into_iter().enumerate() {
        let mut new = status();
        edit(&mut new);
        assert_eq!(new.change_from(Some(&status())), want, "{number}");
    }
    assert_eq!(status().change_from(None), Change::Urgent);
}

#[test]
fn a_refusal_waits_for_its_confirmation() {
    let of = |state, reason| {
        let mut status = status();
        status.keys[0].state = state;
        status.keys[0].reason = reason;
        status
    };
    let healthy = of(KeyState::Healthy, KeyReason::Proven);
    let refused = of(KeyState::CoolingDown, KeyReason::Refused);
    let invalid = of(KeyState::Invalid, KeyReason::RefusedByProvider);
    assert_eq!(refused.change_from(Some(&healthy)), Change::Transition);
    assert_eq!(invalid.change_from(Some(&refused)), Change::Urgent);
    assert_eq!(invalid.change_from(Some(&healthy)), Change::Urgent);
    let limited = of(KeyState::CoolingDown, KeyReason::RateLimited);
    assert_eq!(limited.change_from(Some(&healthy)), Change::Urgent);
}

#[test]
fn numbers_of_a_group_are_details() {
    let old = LoadBalanceGroupStatus {
        ready_replicas: Some(1),
        ..LoadBalanceGroupStatus::default()
    };
    let new = LoadBalanceGroupStatus {
        ready_replicas: Some(2),
        ..old.clone()
    };
    assert_eq!(new.change_from(Some(&old)), Change::Detail);
    assert_eq!(old.change_from(Some(&old)), Change::None);
}
