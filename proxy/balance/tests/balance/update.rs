//! Configurations that follow each other.

use std::sync::Arc;
use std::time::Duration;

use keypool_balance::config::{CredentialConfig, MAX_MEMBERS, MAX_WEIGHT, MemberConfig};
use keypool_balance::health::{KeyReason, KeyState};
use keypool_balance::verdict::Finding;
use keypool_balance::{Balancer, Config, ConfigError, Observation, Time};

use crate::world::{World, dead, group, key, member, pool, provider, rate};

fn keys(credentials: Vec<CredentialConfig>) -> Config {
    Config {
        providers: vec![provider("p", credentials)],
        groups: vec![group(vec![member("p")])],
    }
}

#[test]
fn state_follows_the_value_through_names_order_and_everything_else() {
    let mut world = World::of(pool(&["a", "b", "c"]));
    world.hit(0, 0, rate(Some(300)));
    world.hit(0, 1, dead());
    world.findings();
    let until = world.health(0, 0).until;
    let renamed = CredentialConfig {
        name: "renamed".into(),
        weight: 7,
        quota_group: Some("org".into()),
        ..key("a")
    };
    let mut config = keys(vec![key("d"), key("c"), key("b"), renamed]);
    config.providers[0].cooldown.initial = Duration::from_secs(1);
    for _ in 0..3 {
        world.balancer.update(config.clone(), world.now).unwrap();
    }
    assert_eq!(world.health(0, 3).until, until);
    assert_eq!(world.state(2), (KeyState::CoolingDown, KeyReason::Refused));
    assert_eq!(world.state(0), (KeyState::Unknown, KeyReason::NotUsedYet));
    assert_eq!(world.counts(10), [5, 5, 0, 0]);
    let told = world.findings();
    assert!(
        told.iter()
            .all(|finding| matches!(finding, Finding::Proven { .. })),
        "no verdict is told again: {told:?}"
    );
}

#[test]
fn a_new_value_starts_fresh_and_answers_for_the_old_one_are_dropped() {
    let mut world = World::of(pool(&["a"]));
    let (flying, mut attempts) = world.pick();
    world.once(dead());
    let rotated = CredentialConfig {
        fingerprint: "new".into(),
        ..key("a")
    };
    world.balancer.update(keys(vec![rotated]), world.now).unwrap();
    world.findings();
    world.settle(&flying, dead(), &mut attempts);
    assert_eq!(world.findings(), []);
    assert_eq!(world.state(0), (KeyState::Unknown, KeyReason::NotUsedYet));
    assert_eq!(world.counts(3), [3]);
    world.balancer.update(pool(&["a"]), world.now).unwrap();
    assert_eq!(
        world.state(0),
        (KeyState::Unknown, KeyReason::NotUsedYet),
        "what is removed is forgotten"
    );
}

#[test]
fn a_late_answer_finds_its_value_at_its_new_place() {
    let mut world = World::of(pool(&["a", "b"]));
    let flying: Vec<_> = (0..2).map(|_| world.pick()).collect();
    world
        .balancer
        .update(pool(&["b", "new", "a"]), world.now)
        .unwrap();
    for (pick, mut attempts) in flying {
        let observation = if pick.credential == 0 {
            rate(Some(300))
        } else {
            Observation::Success
        };
        world.settle(&pick, observation, &mut attempts);
    }
    assert_eq!(world.state(2).0, KeyState::CoolingDown);
    assert_eq!(world.state(0).0, KeyState::Healthy);
}

#[test]
fn a_trial_survives_a_reload() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(10)));
    world.secs(13);
    let (trial, mut attempts) = world.pick();
    assert!(trial.trial);
    for _ in 0..5 {
        world.balancer.update(pool(&["a", "b"]), world.now).unwrap();
        assert_eq!(world.pick().0.credential, 1, "no second trial");
    }
    world.settle(&trial, Observation::Success, &mut attempts);
    assert!(world.counts(100)[0] > 20);
}

#[test]
fn timers_survive_a_reload() {
    let mut world = World::of(pool(&["a"]));
    world.once(rate(Some(10)));
    let deadline = world.balancer.next_deadline();
    world.balancer.update(pool(&["a"]), world.now).unwrap();
    assert!(deadline.is_some() && world.balancer.next_deadline() == deadline);
    world.secs(13);
    world.once(Observation::Success);
}

#[test]
fn a_reload_that_changes_nothing_keeps_every_turn() {
    let config = pool(&["a", "b", "c", "d", "e"]);
    let mut world = World::of(config.clone());
    let mut counts = [0u32; 5];
    for slot in 1..=200u32 {
        world.balancer.update(config.clone(), world.now).unwrap();
        counts[world.once(Observation::Success).credential] += 1;
        assert!(
            counts
                .iter()
                .all(|count| (f64::from(*count) - f64::from(slot) / 5.0).abs() < 2.0),
            "{counts:?}"
        );
    }
}

#[test]
fn quota_groups_take_over_what_stood_against_their_values() {
    let named = |name: &str, quota: &str| CredentialConfig {
        quota_group: Some(quota.into()),
        ..key(name)
    };
    let mut world = World::of(pool(&["a", "b", "c"]));
    world.hit(0, 0, rate(Some(300)));
    let until = world.health(0, 0).until;
    world
        .balancer
        .update(
            keys(vec![named("a", "org"), named("b", "org"), key("c")]),
            world.now,
        )
        .unwrap();
    assert_eq!(
        (world.health(0, 0).until, world.health(0, 1).until),
        (until, until),
        "b shares the limit"
    );
    world
        .balancer
        .update(keys(vec![named("a", "renamed"), key("b"), key("c")]), world.now)
        .unwrap();
    assert_eq!(
        (world.health(0, 0).until, world.health(0, 1).until),
        (until, until),
        "leaving takes nothing away"
    );
    assert_eq!(world.state(2).0, KeyState::Healthy);
}

#[test]
fn a_shared_limit_outlives_the_value_that_showed_it() {
    let named = |name: &str| CredentialConfig {
        quota_group: Some("org".into()),
        ..key(name)
    };
    let mut world = World::of(keys(vec![named("a"), named("b")]));
    world.hit(0, 0, rate(Some(300)));
    world.findings();
    let rotated = CredentialConfig {
        fingerprint: "new".into(),
        ..named("a")
    };
    world
        .balancer
        .update(keys(vec![rotated, named("b")]), world.now)
        .unwrap();
    assert_eq!(world.state(1).0, KeyState::CoolingDown);
    let told = world.findings();
    let bearer: Vec<&Arc<str>> = told
        .iter()
        .filter_map(|finding| match finding {
            Finding::Cooling { scope, .. } => Some(&scope.fingerprint),
            _ => None,
        })
        .collect();
    assert_eq!(
        bearer.len(),
        1,
        "told anew under a value that is still there: {told:?}"
    );
    let single = CredentialConfig {
        fingerprint: "newer".into(),
        ..named("a")
    };
    world.balancer.update(keys(vec![single]), world.now).unwrap();
    assert_eq!(world.counts(3), [3], "none of its values is left");
}

#[test]
fn providers_share_nothing_and_state_goes_with_the_uid() {
    let config = |uids: &[&str]| Config {
        providers: uids
            .iter()
            .map(|uid| {
                provider(
                    uid,
                    vec![CredentialConfig {
                        quota_group: Some("org".into()),
                        ..key("same")
                    }],
                )
            })
            .collect(),
        groups: vec![group(uids.iter().map(|uid| member(uid)).collect())],
    };
    let mut world = World::of(config(&["a", "b"]));
    world.hit(0, 0, rate(Some(300)));
    assert!((0..5).all(|_| world.once(Observation::Success).provider == 1));
    world.balancer.update(config(&["b", "a"]), world.now).unwrap();
    assert!((0..5).all(|_| world.once(Observation::Success).provider == 0));
    world.balancer.update(config(&["b"]), world.now).unwrap();
    world.balancer.update(config(&["a", "b"]), world.now).unwrap();
    assert!(
        (0..6).any(|_| world.once(Observation::Success).provider == 0),
        "recreated: another life"
    );
}

#[test]
fn a_model_that_is_not_used_for_a_while_is_remembered() {
    let mut other = pool(&["a", "b"]);
    other.groups[0].members[0].model = "mini".into();
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(300)));
    world.balancer.update(other, world.now).unwrap();
    assert!(world.counts(10)[0] >= 4);
    assert_eq!(world.state(0).0, KeyState::Healthy);
    world.balancer.update(pool(&["a", "b"]), world.now).unwrap();
    assert_eq!(world.counts(10), [0, 10]);
}

#[test]
fn contradictions_are_refused_and_the_old_configuration_stays() {
    let mut twice = pool(&["a"]);
    twice.providers.push(provider("p", vec![]));
    let mut unknown = pool(&["a"]);
    unknown.groups[0].members[0].provider = "nobody".into();
    let mut crowded = pool(&["a"]);
    crowded.groups[0].members = vec![member("p"); MAX_MEMBERS + 1];
    let mut heavy = pool(&["a"]);
    heavy.providers[0].credentials[0].weight = MAX_WEIGHT + 1;
    let mut heavy_member = pool(&["a"]);
    heavy_member.groups[0].members[0] = MemberConfig {
        weight: u32::MAX,
        ..member("p")
    };
    let mut world = World::of(pool(&["a"]));
    for config in [twice, unknown, crowded, heavy, heavy_member] {
        let error = world.balancer.update(config.clone(), world.now).unwrap_err();
        assert!(!error.to_string().is_empty());
        assert_eq!(Balancer::new(config, 1, Time::ZERO).unwrap_err(), error);
        assert_eq!(world.counts(2), [2]);
    }
    let full = ConfigError::TooManyMembers {
        group: "chat".into(),
        count: MAX_MEMBERS + 1,
    };
    assert_eq!(full.to_string(), "group chat has 65 members, more than 64");
}

#[test]
fn absurd_durations_and_moments_do_not_panic() {
    for span in [Duration::ZERO, Duration::MAX] {
        let mut config = pool(&["a", "b"]);
        let provider = &mut config.providers[0];
        provider.cooldown.initial = span;
        provider.cooldown.max = span;
        provider.probe_interval = Some(span);
        provider.stream_lease = span;
        config.groups[0].retry.deadline = span;
        let mut world = World::of(config);
        let whole = Some(u64::MAX);
        for observation in [
            rate(None),
            rate(whole),
            dead(),
            Observation::Success,
            Observation::Overload { hint: Some(span) },
        ] {
            for _ in 0..3 {
                let mut attempts = world.arrive();
                if let Ok(pick) = world.try_pick(&mut attempts) {
                    world.settle(&pick, observation, &mut attempts);
                }
                let probe = world.balancer.start_probe("p", &key("a").fingerprint).unwrap();
                world
                    .balancer
                    .confirm(&probe, keypool_balance::ProbeVerdict::Dead, world.now);
                world.secs(1_000);
            }
        }
        world.now = Time::from_nanos(u64::MAX - 1);
        world.refused_or_served();
        world.now = Time::ZERO;
        world.refused_or_served();
    }
}
