//! Rests of keys and quota groups.

use std::time::Duration;

use keypool_balance::config::{CredentialConfig, MemberConfig};
use keypool_balance::health::{KeyReason, KeyState};
use keypool_balance::verdict::{CoolingReason, Finding, VerdictId};
use keypool_balance::{Account, Config, Next, Observation, Proof, Reach};

use crate::world::{World, group, key, member, pool, provider, rate};

#[test]
fn a_hint_is_a_floor_and_jitter_adds_a_fifth_at_most() {
    for seed in 0..40 {
        let mut world = World::seeded(pool(&["a", "b"]), seed);
        world.hit(0, 0, rate(Some(45)));
        let back = world.returns_after(0, 70).unwrap();
        assert!((45.0..=54.5).contains(&back), "{back}");
    }
}

#[test]
fn without_a_hint_the_rest_doubles_up_to_the_maximum() {
    let mut world = World::of(pool(&["a", "b"]));
    for (failure, expected) in [60.0, 120.0, 240.0, 480.0, 900.0, 900.0].into_iter().enumerate() {
        world.hit(0, 0, rate(None));
        let until = world.health(0, 0).until.unwrap().since(world.now).as_secs_f64();
        assert!(
            (expected..=expected * 1.2 + 0.001).contains(&until),
            "failure {failure}: {until}"
        );
        world.now = world.health(0, 0).until.unwrap();
    }
}

#[test]
fn a_success_and_a_slow_start_end_the_doubling() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(None));
    world.secs(73);
    world.hit(0, 0, rate(None));
    world.secs(146);
    for _ in 0..4 {
        world.hit(0, 0, Observation::Success);
    }
    world.hit(0, 0, rate(None));
    let until = world.health(0, 0).until.unwrap().since(world.now);
    assert!(until <= Duration::from_secs(72), "{until:?}");
}

#[test]
fn a_later_shorter_verdict_moves_no_deadline_back() {
    let mut world = World::of(pool(&["a"]));
    let mut flying: Vec<_> = (0..3).map(|_| world.pick()).collect();
    let (pick, mut attempts) = flying.pop().unwrap();
    world.settle(&pick, rate(Some(300)), &mut attempts);
    let first = world.health(0, 0).until.unwrap();
    for (pick, mut attempts) in flying {
        world.secs(1);
        world.settle(&pick, rate(Some(2)), &mut attempts);
        assert!(world.health(0, 0).until.unwrap() >= first);
    }
}

#[test]
fn a_burst_of_refusals_is_one_failure() {
    let mut world = World::of(pool(&["a", "b"]));
    let flying: Vec<_> = (0..50).map(|_| world.pick()).collect();
    for (pick, mut attempts) in flying {
        world.settle(&pick, rate(None), &mut attempts);
    }
    let until = world.health(0, 0).until.unwrap().since(world.now);
    assert!(until <= Duration::from_secs(72), "{until:?}");
}

#[test]
fn half_open_admits_one_trial() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(10)));
    world.secs(13);
    let (trial, mut attempts) = world.pick();
    assert_eq!(
        (trial.credential, trial.trial),
        (0, true),
        "the trial comes first"
    );
    for _ in 0..50 {
        let (pick, _) = world.pick();
        assert_eq!((pick.credential, pick.trial), (1, false));
    }
    world.settle(&trial, Observation::Success, &mut attempts);
    let counts = world.counts(90);
    assert!(counts[0] > 30, "back in service: {counts:?}");
}

#[test]
fn a_hundred_keys_that_come_back_at_once_get_one_trial_each() {
    let names: Vec<String> = (0..100).map(|k| k.to_string()).collect();
    let mut world = World::of(pool(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    let flying: Vec<_> = (0..300).map(|_| world.pick()).collect();
    for (pick, mut attempts) in flying {
        world.settle(&pick, rate(Some(10)), &mut attempts);
    }
    world.refused();
    world.secs(13);
    let mut used = Vec::new();
    for _ in 0..500 {
        let mut attempts = world.arrive();
        if let Ok(pick) = world.try_pick(&mut attempts) {
            assert!(pick.trial);
            used.push(pick.credential);
        }
    }
    used.sort_unstable();
    assert_eq!(used, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_client_that_cancels_returns_the_trial_undecided() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(10)));
    world.secs(13);
    let (trial, mut attempts) = world.pick();
    assert!(trial.trial);
    assert_eq!(
        world.settle(&trial, Observation::Cancelled, &mut attempts),
        Next::Stop(keypool_balance::StopReason::ClientGone)
    );
    let (again, _) = world.pick();
    assert_eq!((again.credential, again.trial), (0, true));
}

#[test]
fn a_trial_that_never_ends_loses_its_lease() {
    for (streamed, lease) in [(true, 120), (false, 600)] {
        let mut world = World::of(pool(&["a", "b"]));
        world.hit(0, 0, rate(Some(10)));
        world.secs(13);
        world.streamed = streamed;
        assert!(world.pick().0.trial);
        world.secs(lease - 1);
        assert!((0..10).all(|_| world.once(Observation::Success).credential == 1));
        world.secs(2);
        assert!(world.pick().0.trial, "streamed: {streamed}");
    }
}

#[test]
fn slow_start_gives_the_weight_back_in_steps() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(10)));
    world.secs(13);
    let trial = world.once(Observation::Success);
    assert!(trial.trial);
    // The picks of one step are in flight together: only an attempt sent after a step takes the next one.
    for expected in [1..=12, 18..=22, 30..=35, 49..=51] {
        let flying: Vec<_> = (0..100).map(|_| world.pick()).collect();
        let served = flying.iter().filter(|(pick, _)| pick.credential == 0).count();
        assert!(expected.contains(&served), "{served} not in {expected:?}");
        for (pick, mut attempts) in flying {
            world.settle(&pick, Observation::Success, &mut attempts);
        }
    }
}

#[test]
fn slow_start_ends_by_itself() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(10)));
    world.secs(13);
    assert!(world.once(Observation::Success).trial);
    world.secs(61);
    assert_eq!(world.counts(100), [50, 50]);
}

#[test]
fn a_limit_covers_the_quota_group_and_one_model() {
    let shared = |name: &str| CredentialConfig {
        quota_group: Some("org".into()),
        ..key(name)
    };
    let small = MemberConfig {
        name: "small".into(),
        model: "mini".into(),
        ..member("p")
    };
    let config = Config {
        providers: vec![provider("p", vec![shared("a"), shared("b"), key("c")])],
        groups: vec![group(vec![
            member("p"),
            MemberConfig {
                weight: 0,
                ..small.clone()
            },
        ])],
    };
    let mut both = config.clone();
    both.groups[0].members[1].weight = 1;
    let mut world = World::of(config.clone());
    world.hit(0, 0, rate(Some(60)));
    assert_eq!(world.counts(20), [0, 0, 20], "both keys of the organisation rest");
    world.balancer.update(both.clone(), world.now).unwrap();
    let used: Vec<_> = (0..60).map(|_| world.once(Observation::Success)).collect();
    assert!(
        used.iter().any(|pick| pick.member == 1 && pick.credential == 0),
        "the other model is free"
    );
    assert!(used.iter().all(|pick| pick.member == 1 || pick.credential == 2));

    let mut world = World::of(both);
    let whole = Observation::Rate {
        hint: None,
        reach: Reach::QuotaGroup,
        proof: Proof::MachineCode,
    };
    world.hit(0, 0, whole);
    assert_eq!(world.counts(30), [0, 0, 30], "every model rests");
}

#[test]
fn two_entries_of_one_value_rest_together() {
    let twin = CredentialConfig {
        fingerprint: key("a").fingerprint,
        ..key("twin")
    };
    let config = Config {
        providers: vec![provider("p", vec![key("a"), twin, key("b")])],
        groups: vec![group(vec![member("p")])],
    };
    let mut world = World::of(config);
    world.hit(0, 0, rate(None));
    assert_eq!(world.counts(10), [0, 0, 10]);
}

#[test]
fn a_refused_model_touches_this_key_and_model_alone() {
    let small = MemberConfig {
        name: "small".into(),
        model: "mini".into(),
        ..member("p")
    };
    let config = Config {
        providers: vec![provider("p", vec![key("a"), key("b")])],
        groups: vec![group(vec![member("p"), small])],
    };
    let mut world = World::of(config);
    loop {
        let (pick, mut attempts) = world.pick();
        let refused = (pick.member, pick.credential) == (0, 0);
        let observation = match refused {
            true => Observation::Model {
                proof: Proof::MachineCode,
            },
            false => Observation::Success,
        };
        world.settle(&pick, observation, &mut attempts);
        if refused {
            break;
        }
    }
    let used: Vec<_> = (0..60).map(|_| world.once(Observation::Success)).collect();
    assert!(used.iter().all(|pick| (pick.member, pick.credential) != (0, 0)));
    assert!(used.iter().any(|pick| (pick.member, pick.credential) == (1, 0)));
    let health = world.health(0, 0);
    assert_eq!(health.state, KeyState::Healthy, "a model is usable");
    assert_eq!(health.models.len(), 1);
    assert_eq!(
        (health.models[0].state, health.models[0].reason),
        (KeyState::CoolingDown, KeyReason::Refused)
    );
}

#[test]
fn what_is_not_the_keys_fault_cools_nothing() {
    let faults = [
        Observation::ClientFault,
        Observation::TooBig,
        Observation::Server,
        Observation::Overload {
            hint: Some(Duration::from_secs(30)),
        },
        Observation::Unanswered,
        Observation::Env(keypool_balance::EnvFault::Tls),
        Observation::Cut,
        Observation::Cancelled,
    ];
    for observation in faults {
        let mut world = World::of(pool(&["a"]));
        world.once(Observation::Success);
        for _ in 0..3 {
            world.once(observation);
        }
        assert_eq!(
            world.state(0),
            (KeyState::Healthy, KeyReason::Proven),
            "{observation:?}"
        );
        assert!(
            world
                .findings()
                .iter()
                .all(|finding| !matches!(finding, Finding::Cooling { .. }))
        );
    }
}

#[test]
fn the_last_usable_target_is_tried_after_five_seconds() {
    let mut world = World::of(pool(&["a"]));
    world.once(rate(None));
    assert_eq!(
        world.refused().earliest.unwrap().since(world.now),
        Duration::from_secs(5)
    );
    world.pass(Duration::from_millis(4_999));
    world.refused();
    world.pass(Duration::from_millis(1));
    let (early, mut attempts) = world.pick();
    assert!(early.trial);
    world.refused();
    world.settle(&early, rate(None), &mut attempts);
    world.pass(Duration::from_millis(4_999));
    world.refused();
    world.pass(Duration::from_millis(1));
    world.once(Observation::Success);
    assert!(!world.pick().0.trial, "a success ends the rest");
}

#[test]
fn no_early_trial_before_a_vendors_hint_for_credit_or_while_others_serve() {
    let mut world = World::of(pool(&["a"]));
    world.once(rate(Some(45)));
    world.secs(44);
    world.refused();

    let mut world = World::of(pool(&["a"]));
    world.once(Observation::Credit {
        hint: None,
        account: Account::QuotaGroup,
        proof: Proof::MachineCode,
    });
    world.secs(599);
    world.refused();

    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(None));
    world.secs(30);
    assert_eq!(world.counts(10), [0, 10]);
}

#[test]
fn only_what_was_sent_after_the_verdict_refutes_it() {
    let mut world = World::of(pool(&["a"]));
    let (early, mut early_attempts) = world.pick();
    world.once(rate(Some(45)));
    let verdict = VerdictId::Own(world.balancer.reports_since(None, world.now).sequence);
    world.findings();
    world.settle(&early, Observation::Success, &mut early_attempts);
    assert_eq!(world.findings().len(), 1, "proven, and nothing else");
    assert_eq!(world.state(0), (KeyState::CoolingDown, KeyReason::RateLimited));
    world.refused();
    world.secs(55);
    let trial = world.once(Observation::Success);
    assert!(trial.trial);
    let refuted = world.findings();
    assert!(
        matches!(&refuted[..], [Finding::Refuted { verdicts }] if verdicts[..] == [verdict]),
        "{refuted:?}"
    );
}

#[test]
fn told_are_rests_that_others_can_use() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(Some(2)));
    let short = world.findings();
    assert!(
        short
            .iter()
            .all(|finding| !matches!(finding, Finding::Cooling { .. })),
        "{short:?}"
    );
    world.hit(0, 1, rate(Some(45)));
    let told = world.findings();
    let cooling = told.iter().find_map(|finding| match finding {
        Finding::Cooling {
            scope,
            reason,
            until,
            soft,
        } => Some((scope.clone(), *reason, *until, *soft)),
        _ => None,
    });
    let (scope, reason, until, soft) = cooling.unwrap();
    assert_eq!(&*scope.fingerprint, "value-of-b");
    assert!(scope.quota_group);
    assert_eq!(scope.model.as_deref(), Some("gpt-4.1"));
    assert_eq!((reason, soft), (CoolingReason::RateLimited, false));
    assert!(until.since(world.now) >= Duration::from_secs(45));
}

#[test]
fn a_persons_reset_ends_rests() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, rate(None));
    world.hit(0, 1, rate(None));
    world.refused();
    world.findings();
    world.balancer.clear_cooldown("p", &["a".into()], world.now);
    assert!(matches!(&world.findings()[..], [Finding::Refuted { .. }]));
    assert_eq!(world.counts(10), [10, 0]);
    world.balancer.clear_cooldown("p", &[], world.now);
    assert_eq!(world.counts(10), [5, 5]);
}
