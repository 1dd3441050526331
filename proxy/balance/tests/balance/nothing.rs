//! Answers when nothing can serve.

use std::time::Duration;

use keypool_balance::config::{CredentialConfig, MemberConfig};
use keypool_balance::{
    Account, Config, EnvFault, MemberSet, NoTarget, Observation, ProbeVerdict, Proof, Reach,
};

use crate::world::{World, dead, group, key, member, pool, provider, rate, weighted};

#[test]
fn every_cause_is_counted_once_per_credential() {
    let mut keys: Vec<CredentialConfig> = ["limited", "refused", "broke", "dead"].map(key).to_vec();
    keys.push(weighted("drained", 0));
    keys.push(CredentialConfig {
        enabled: false,
        ..key("off")
    });
    keys.push(CredentialConfig {
        models: vec!["other".into()],
        ..key("foreign")
    });
    let twin = MemberConfig {
        name: "twin".into(),
        ..member("p")
    };
    let config = Config {
        providers: vec![provider("p", keys), provider("down", vec![key("k")])],
        groups: vec![group(vec![member("p"), twin, member("down")])],
    };
    let mut world = World::of(config);
    world.hit(0, 0, rate(Some(300)));
    world.hit(
        0,
        1,
        Observation::Auth {
            dead_code: false,
            proof: Proof::MachineCode,
        },
    );
    world.hit(
        0,
        2,
        Observation::Credit {
            hint: None,
            account: Account::QuotaGroup,
            proof: Proof::MachineCode,
        },
    );
    world.hit(0, 3, dead());
    let probe = world.balancer.start_probe("p", &key("dead").fingerprint).unwrap();
    world.balancer.confirm(&probe, ProbeVerdict::Dead, world.now);
    for _ in 0..5 {
        world.hit(1, 0, Observation::Env(EnvFault::Refused));
    }
    let why = world.refused();
    let earliest = why.earliest.unwrap().since(world.now);
    assert!(
        (Duration::from_secs(5)..=Duration::from_secs(6)).contains(&earliest),
        "{earliest:?}"
    );
    assert_eq!(
        why,
        NoTarget {
            total: 8,
            rate_limited: 1,
            refused: 1,
            exhausted: 1,
            invalid: 1,
            disabled: 3,
            provider_down: 1,
            earliest: why.earliest,
            ..NoTarget::default()
        }
    );
    assert!(!why.limits_only());
    world.members = MemberSet::of([0]);
    let why = world.refused();
    assert_eq!(
        (why.total, why.provider_down),
        (7, 0),
        "only the members that may serve"
    );
}

#[test]
fn limits_only_and_the_earliest_return() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(300)));
    world.hit(0, 1, rate(Some(12)));
    let why = world.refused();
    let earliest = why.earliest.unwrap().since(world.now).as_secs_f64();
    assert!((12.0..=14.5).contains(&earliest), "{earliest}");
    assert!(why.limits_only() && why.waiting_helps());
    world.now = why.earliest.unwrap();
    world.once(Observation::Success);
}

#[test]
fn nothing_that_waiting_could_mend() {
    for keys in [vec![], vec![weighted("drained", 0)]] {
        let total = keys.len() as u32;
        let config = Config {
            providers: vec![provider("p", keys)],
            groups: vec![group(vec![member("p")])],
        };
        let why = World::of(config).refused();
        assert_eq!(
            (why.total, why.disabled, why.waiting_helps(), why.limits_only()),
            (total, total, false, false)
        );
    }
    let mut world = World::of(pool(&["a"]));
    world.members = MemberSet::NONE;
    assert_eq!(world.refused(), NoTarget::default());
    let mut world = World::of(Config::default());
    assert_eq!(world.refused(), NoTarget::default(), "a group that is not there");
}

#[test]
fn what_was_tried_is_told() {
    let mut world = World::of(pool(&["a"]));
    let (_, end) = world.request(|_| Observation::TooBig);
    let why = end.unwrap_err();
    assert_eq!((why.tried, why.total), (1, 1));
}

/// Refusals that are not believed, for the keys have served others a moment ago: nothing rests, and yet at once is no answer.
#[test]
fn a_request_that_was_refused_everywhere_is_not_told_to_come_back_at_once() {
    let bare = |hint: Option<u64>| Observation::Rate {
        hint: hint.map(Duration::from_secs),
        reach: Reach::Model,
        proof: Proof::Ambiguous,
    };
    for (hint, expected) in [(Some(20), 20.0), (Some(86_400), 900.0), (None, 3.0)] {
        let mut world = World::of(pool(&["a", "b", "c"]));
        world.once(Observation::Success);
        world.hit(0, 2, bare(Some(1_000)));
        let (used, end) = world.request(|_| bare(hint));
        let why = end.unwrap_err();
        assert_eq!((used.len(), why.tried, why.rate_limited), (2, 2, 1), "one rests");
        let earliest = why.earliest.unwrap().since(world.now).as_secs_f64();
        assert_eq!(earliest, expected, "{hint:?}");
        // Another request is free to come.
        world.once(Observation::Success);
    }
}

#[test]
fn the_trial_of_another_request_is_told() {
    let mut world = World::of(pool(&["a"]));
    world.once(rate(Some(10)));
    world.secs(13);
    world.pick();
    let why = world.refused();
    assert_eq!(why.on_trial, 1);
    assert_eq!(why.earliest.unwrap().since(world.now), Duration::from_secs(1));
}
