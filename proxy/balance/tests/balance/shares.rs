//! Who gets how much.

use std::time::Duration;

use keypool_balance::config::{CredentialConfig, MemberConfig, Strategy};
use keypool_balance::{Config, MemberSet, Observation};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::prop_assert;

use crate::world::{World, group, key, member, pool, provider, rate, weighted};

#[test]
fn members_by_weight_and_their_keys_equally() {
    let keys = ["k1", "k2", "k3", "k4"].map(key).to_vec();
    let members = vec![
        MemberConfig {
            weight: 3,
            ..member("a")
        },
        member("b"),
    ];
    let config = Config {
        providers: vec![provider("a", keys), provider("b", vec![key("only")])],
        groups: vec![group(members)],
    };
    for seed in 0..50 {
        let mut world = World::seeded(config.clone(), seed);
        let (mut a, mut b) = ([0i64; 4], 0i64);
        for _ in 0..400 {
            let pick = world.once(Observation::Success);
            match pick.provider {
                0 => a[pick.credential] += 1,
                _ => b += 1,
            }
        }
        assert!((b - 100).abs() < 2, "member b served {b}");
        assert!(a.iter().all(|served| (served - 75).abs() < 2), "{a:?}");
    }
}

proptest! {
    #[test]
    fn every_target_stays_near_its_share(
        members in vec((1u32..=20, vec(1u32..=20, 1..6)), 1..6),
        seed in any::<u64>(),
    ) {
        let name = |index: usize| format!("p{index}");
        let config = Config {
            providers: members.iter().enumerate().map(|(index, (_, keys))| {
                let keys = keys.iter().enumerate().map(|(k, weight)| weighted(&k.to_string(), *weight));
                provider(&name(index), keys.collect())
            }).collect(),
            groups: vec![group(members.iter().enumerate().map(|(index, (weight, _))| {
                MemberConfig { weight: *weight, ..member(&name(index)) }
            }).collect())],
        };
        let mut world = World::seeded(config, seed);
        let total: u32 = members.iter().map(|(weight, _)| weight).sum();
        let mut served: Vec<Vec<u32>> = members.iter().map(|(_, keys)| vec![0; keys.len()]).collect();
        for slot in 1..=500u32 {
            let pick = world.once(Observation::Success);
            served[pick.provider][pick.credential] += 1;
            for (counts, (weight, keys)) in served.iter().zip(&members) {
                let inner: u32 = counts.iter().sum();
                let share = f64::from(slot * weight) / f64::from(total);
                prop_assert!((f64::from(inner) - share).abs() < 2.0);
                let key_total: u32 = keys.iter().sum();
                for (count, weight) in counts.iter().zip(keys) {
                    let share = f64::from(inner * weight) / f64::from(key_total);
                    prop_assert!((f64::from(*count) - share).abs() < 2.0);
                }
            }
        }
    }

    #[test]
    fn the_rest_shares_exactly_after_one_leaves(weights in vec(1u32..=9, 3..8), seed in any::<u64>()) {
        let keys: Vec<CredentialConfig> =
            weights.iter().enumerate().map(|(k, weight)| weighted(&k.to_string(), *weight)).collect();
        let config = Config { providers: vec![provider("p", keys)], groups: vec![group(vec![member("p")])] };
        let mut world = World::seeded(config, seed);
        world.hit(0, 0, rate(Some(800)));
        let total: u32 = weights.iter().skip(1).sum();
        let mut counts = vec![0u32; weights.len()];
        for slot in 1..=200u32 {
            counts[world.once(Observation::Success).credential] += 1;
            prop_assert!(counts[0] == 0);
            for (count, weight) in counts.iter().zip(&weights).skip(1) {
                let share = f64::from(slot * weight) / f64::from(total);
                prop_assert!((f64::from(*count) - share).abs() < 1.0);
            }
        }
    }
}

#[test]
fn more_keys_bring_a_member_no_more_traffic() {
    let many = (0..10).map(|k| key(&k.to_string())).collect();
    let config = Config {
        providers: vec![provider("a", many), provider("b", vec![key("only")])],
        groups: vec![group(vec![member("a"), member("b")])],
    };
    let mut world = World::of(config);
    let to_b = (0..200)
        .filter(|_| world.once(Observation::Success).provider == 1)
        .count();
    assert!((99..=101).contains(&to_b), "{to_b}");
}

#[test]
fn drained_and_disabled_take_nothing() {
    let keys = vec![
        weighted("drained", 0),
        CredentialConfig {
            enabled: false,
            ..key("off")
        },
        key("on"),
    ];
    let config = Config {
        providers: vec![provider("p", keys), provider("q", vec![key("k")])],
        groups: vec![group(vec![
            member("p"),
            MemberConfig {
                weight: 0,
                ..member("q")
            },
        ])],
    };
    let mut world = World::of(config);
    assert_eq!(world.counts(50), [0, 0, 50]);
}

#[test]
fn round_robin_ignores_weights_but_zero() {
    let keys = vec![weighted("a", 9), weighted("b", 1), weighted("c", 0)];
    let mut config = Config {
        providers: vec![provider("p", keys)],
        groups: vec![group(vec![member("p")])],
    };
    config.groups[0].strategy = Strategy::RoundRobin;
    assert_eq!(World::of(config).counts(100), [50, 50, 0]);
}

#[test]
fn a_client_that_names_a_member_does_not_bend_the_others() {
    let config = Config {
        providers: vec![provider("a", vec![key("k")]), provider("b", vec![key("k")])],
        groups: vec![group(vec![member("a"), member("b")])],
    };
    let mut world = World::of(config);
    let mut to_a = 0;
    for _ in 0..100 {
        world.members = MemberSet::of([0]);
        assert_eq!(world.once(Observation::Success).provider, 0);
        world.members = MemberSet::ALL;
        to_a += u32::from(world.once(Observation::Success).provider == 0);
    }
    assert!((49..=51).contains(&to_a), "{to_a}");
}

#[test]
fn replicas_do_not_start_on_the_same_key() {
    let config = pool(&["a", "b", "c", "d"]);
    let mut first = [0; 4];
    for seed in 0..400 {
        first[World::seeded(config.clone(), seed)
            .once(Observation::Success)
            .credential] += 1;
    }
    assert!(first.iter().all(|count| *count > 60), "{first:?}");
}

#[test]
fn a_tier_is_left_when_nothing_in_it_is_usable_and_entered_again() {
    let backup = MemberConfig {
        priority: 1,
        ..member("b")
    };
    let config = Config {
        providers: vec![
            provider("a", vec![key("k1"), key("k2")]),
            provider("b", vec![key("k")]),
        ],
        groups: vec![group(vec![member("a"), backup])],
    };
    let mut world = World::of(config);
    let served = |world: &mut World| world.once(Observation::Success).provider;
    assert!((0..20).all(|_| served(&mut world) == 0));
    world.hit(0, 0, rate(Some(30)));
    assert!(
        (0..20).all(|_| served(&mut world) == 0),
        "the sibling takes over first"
    );
    world.hit(0, 1, rate(Some(30)));
    assert!((0..20).all(|_| served(&mut world) == 1));
    world.pass(Duration::from_secs(37));
    assert!((0..20).all(|_| served(&mut world) == 0));
}

#[test]
fn credential_priority_within_a_member() {
    let spare = CredentialConfig {
        priority: 5,
        ..key("spare")
    };
    let config = Config {
        providers: vec![provider("p", vec![key("first"), spare])],
        groups: vec![group(vec![member("p")])],
    };
    let mut world = World::of(config);
    assert_eq!(world.counts(20), [20, 0]);
    world.hit(0, 0, rate(Some(30)));
    assert_eq!(world.counts(20), [0, 20]);
    world.secs(37);
    assert_eq!(world.counts(20), [20, 0]);
}

#[test]
fn a_key_serves_only_its_models() {
    let bound = CredentialConfig {
        models: vec!["other".into()],
        ..key("bound")
    };
    let config = Config {
        providers: vec![provider("p", vec![bound, key("free")])],
        groups: vec![group(vec![member("p")])],
    };
    assert_eq!(World::of(config).counts(10), [0, 10]);
}
