//! Rotation, retry, ambiguity and the deadline.

use std::time::Duration;

use keypool_balance::config::Ambiguous;
use keypool_balance::{Account, Attempts, Config, EnvFault, Next, Observation, Proof, Reach, StopReason};

use crate::world::{World, dead, group, key, member, pool, provider, rate};

fn bare(reach: Reach) -> Observation {
    Observation::Rate {
        hint: None,
        reach,
        proof: Proof::Ambiguous,
    }
}

#[test]
fn nine_bad_keys_and_a_good_one_cost_no_client_error() {
    let names: Vec<String> = (0..10).map(|k| k.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let answers = [
        rate(None),
        dead(),
        Observation::Credit {
            hint: None,
            account: Account::QuotaGroup,
            proof: Proof::MachineCode,
        },
    ];
    for seed in 0..50 {
        let mut world = World::seeded(pool(&names), seed);
        let mut wasted = 0;
        for _ in 0..200 {
            let (used, end) = world.request(|pick| match pick.credential {
                7 => Observation::Success,
                bad => answers[bad % 3],
            });
            assert_eq!(end, Ok(Next::Done));
            wasted += used.len() - 1;
        }
        assert!(wasted <= 9, "at most one attempt per bad key: {wasted}");
    }
}

#[test]
fn rotation_tries_each_target_once_and_is_not_counted() {
    let mut world = World::of(pool(&["a", "b", "c", "d", "e", "f"]));
    let (mut used, end) = world.request(|_| rate(Some(60)));
    used.sort_unstable();
    assert_eq!(used, (0..6).map(|credential| (0, credential)).collect::<Vec<_>>());
    let why = end.unwrap_err();
    assert_eq!((why.rate_limited, why.total), (6, 6));
}

#[test]
fn a_poison_request_cools_one_key_and_stops_after_the_groups_attempts() {
    let poisons = [
        bare(Reach::Model),
        bare(Reach::QuotaGroup),
        Observation::Auth {
            dead_code: true,
            proof: Proof::Ambiguous,
        },
        Observation::Auth {
            dead_code: false,
            proof: Proof::Ambiguous,
        },
        Observation::Model {
            proof: Proof::Ambiguous,
        },
        Observation::Credit {
            hint: None,
            account: Account::QuotaGroup,
            proof: Proof::Ambiguous,
        },
    ];
    for poison in poisons {
        let mut world = World::of(pool(&["a", "b", "c", "d", "e", "f"]));
        let (used, end) = world.request(|_| poison);
        assert_eq!(
            (used.len(), end),
            (3, Ok(Next::Stop(StopReason::AttemptsUsed))),
            "{poison:?}"
        );
        let counts = world.counts(60);
        assert_eq!(
            counts.iter().filter(|count| **count == 0).count(),
            1,
            "{poison:?}: {counts:?}"
        );
    }
}

#[test]
fn mixed_refusals_after_an_ambiguous_one_are_limited_too() {
    let mut world = World::of(pool(&["a", "b", "c", "d", "e", "f"]));
    let first = std::cell::Cell::new(true);
    let (used, _) = world.request(|_| {
        if first.replace(false) {
            bare(Reach::Model)
        } else {
            rate(Some(60))
        }
    });
    assert_eq!(used.len(), 3);
}

#[test]
fn too_big_for_a_key_is_tried_on_one_other() {
    let mut world = World::of(pool(&["a", "b", "c"]));
    let (used, end) = world.request(|_| Observation::TooBig);
    assert_eq!(used.len(), 2);
    assert_eq!(end.unwrap_err().tried, 3, "nobody is left to ask");
    assert_ne!(used[0], used[1]);
    assert_eq!(world.counts(30), [10, 10, 10]);
}

#[test]
fn too_big_for_two_keys_goes_to_the_next_priority() {
    let mut config = Config {
        providers: ["p", "q", "r", "s"]
            .map(|uid| provider(uid, vec![key("a"), key("b"), key("c")]))
            .into(),
        groups: vec![group(["p", "q", "r", "s"].map(member).into())],
    };
    for (member, priority) in config.groups[0].members.iter_mut().zip([0, 0, 1, 2]) {
        member.priority = priority;
    }
    for (limit, providers) in [
        (1, &[0][..]),
        (2, &[0, 0]),
        (3, &[0, 0, 2]),
        (4, &[0, 0, 2, 3]),
        (9, &[0, 0, 2, 3]),
    ] {
        config.groups[0].retry.attempts = limit;
        for seed in 0..20 {
            let mut world = World::seeded(config.clone(), seed);
            let (used, end) = world.request(|_| Observation::TooBig);
            let first_tier = |(provider, _): &(usize, usize)| if *provider < 2 { 0 } else { *provider };
            assert_eq!(used.iter().map(first_tier).collect::<Vec<_>>(), providers);
            let stopped = Ok(Next::Stop(StopReason::AttemptsUsed));
            assert!(end == stopped || limit == 9 && end.is_err(), "{limit}: {end:?}");
            assert!(world.findings().is_empty(), "nothing is wrong with a key");
        }
    }
}

#[test]
fn who_shares_the_limit_that_a_request_is_too_big_for_is_not_asked() {
    let in_group = |name: &str, quota: &str| keypool_balance::config::CredentialConfig {
        quota_group: Some(quota.into()),
        ..key(name)
    };
    let keys = vec![
        in_group("a", "small"),
        in_group("b", "small"),
        in_group("c", "small"),
        in_group("d", "large"),
    ];
    for seed in 0..20 {
        let config = Config {
            providers: vec![provider("p", keys.clone())],
            groups: vec![group(vec![member("p")])],
        };
        let mut world = World::seeded(config, seed);
        let answer = |pick: &keypool_balance::Pick| match pick.credential {
            3 => Observation::Success,
            _ => Observation::TooBig,
        };
        let (used, end) = world.request(answer);
        assert!(used.len() <= 2 && end == Ok(Next::Done), "{used:?} {end:?}");
    }
}

#[test]
fn the_requests_own_fault_ends_it() {
    let mut world = World::of(pool(&["a", "b"]));
    for (observation, reason) in [
        (Observation::ClientFault, StopReason::ClientFault),
        (Observation::Cancelled, StopReason::ClientGone),
        (Observation::Cut, StopReason::Committed),
        (Observation::Unanswered, StopReason::Ambiguous),
    ] {
        let (used, end) = world.request(|_| observation);
        assert_eq!((used.len(), end), (1, Ok(Next::Stop(reason))));
    }
}

#[test]
fn an_unanswered_request_is_repeated_once_where_allowed() {
    let mut config = pool(&["a", "b", "c"]);
    config.groups[0].retry.ambiguous = Ambiguous::Allow;
    config.groups[0].retry.attempts = 5;
    let mut world = World::of(config);
    let (used, end) = world.request(|_| Observation::Unanswered);
    assert_eq!((used.len(), end), (2, Ok(Next::Stop(StopReason::Ambiguous))));
}

#[test]
fn a_providers_fault_goes_to_another_provider_even_one_of_lower_rank() {
    let mut backup = member("b");
    backup.priority = 1;
    let config = Config {
        providers: vec![
            provider("a", vec![key("k1"), key("k2"), key("k3")]),
            provider("b", vec![key("k")]),
        ],
        groups: vec![group(vec![member("a"), backup])],
    };
    let mut world = World::of(config);
    let (used, end) = world.request(|pick| {
        if pick.provider == 0 {
            Observation::Server
        } else {
            Observation::Success
        }
    });
    assert_eq!(end, Ok(Next::Done));
    assert_eq!(
        used.iter().map(|(provider, _)| *provider).collect::<Vec<_>>(),
        [0, 1]
    );
}

#[test]
fn a_single_provider_is_retried_on_another_key_first() {
    let mut world = World::of(pool(&["a", "b"]));
    let (used, end) = world.request(|_| Observation::Server);
    assert_eq!(end, Ok(Next::Stop(StopReason::AttemptsUsed)));
    assert_eq!(used.len(), 3);
    assert_ne!(used[0], used[1]);
}

#[test]
fn attempts_count_the_first() {
    for attempts in [0, 1, 2, 5] {
        let mut config = pool(&["a", "b", "c"]);
        config.groups[0].retry.attempts = attempts;
        let (used, _) = World::of(config).request(|_| Observation::Env(EnvFault::Dns));
        assert_eq!(used.len(), attempts.max(1) as usize);
    }
}

#[test]
fn no_attempt_starts_after_the_deadline() {
    let mut world = World::of(pool(&["a", "b", "c"]));
    let mut attempts = world.arrive();
    let pick = world.try_pick(&mut attempts).unwrap();
    world.pass(Duration::from_millis(59_999));
    assert_eq!(
        world.settle(&pick, rate(Some(60)), &mut attempts),
        Next::Elsewhere
    );
    let pick = world.try_pick(&mut attempts).unwrap();
    world.pass(Duration::from_millis(1));
    assert_eq!(
        world.settle(&pick, rate(Some(60)), &mut attempts),
        Next::Stop(StopReason::Deadline)
    );
}

/// Requests that fail whole, among enough good ones that the breaker is not what stops the retries. Gives the retries, and how often the budget
/// stopped one.
fn failing(world: &mut World, requests: u32) -> (u32, u32) {
    let (mut attempts, mut stopped) = (0, 0);
    for _ in 0..requests {
        let (used, end) = world.request(|_| Observation::Server);
        attempts += used.len() as u32;
        stopped += u32::from(end == Ok(Next::Stop(StopReason::BudgetSpent)));
        for _ in 0..9 {
            world.once(Observation::Success);
        }
    }
    (attempts - requests, stopped)
}

#[test]
fn retries_stay_within_the_providers_budget() {
    let mut world = World::of(pool(&["a", "b", "c"]));
    let (retries, stopped) = failing(&mut world, 20);
    assert_eq!(retries, 30, "the floor");
    assert!(stopped > 0);
    let mut budget = world.arrive();
    world.secs(12);
    let (retries, _) = failing(&mut world, 10);
    assert_eq!(retries, 20, "it slides");
    assert!(world.try_pick(&mut budget).is_ok());
}

#[test]
fn a_retry_that_finds_no_target_is_not_charged() {
    let mut config = pool(&["a"]);
    config.groups[0].retry.attempts = 2;
    let mut world = World::of(config);
    // Forty within the ten seconds of the window: more than the thirty that would be charged.
    for _ in 0..40 {
        let mut attempts = Attempts::new(world.now);
        let pick = world.try_pick(&mut attempts).unwrap();
        assert_eq!(
            world.settle(&pick, Observation::Env(EnvFault::Refused), &mut attempts),
            Next::Elsewhere
        );
        // Meanwhile the only key gets limited.
        let (other, mut others) = world.pick();
        world.settle(&other, rate(Some(1)), &mut others);
        assert!(world.try_pick(&mut attempts).is_err());
        world.balancer.clear_cooldown("p", &[], world.now);
        world.once(Observation::Success);
    }
}

#[test]
fn the_answer_of_a_removed_key_still_decides_about_the_request() {
    let mut world = World::of(pool(&["a", "b"]));
    let (pick, mut attempts) = world.pick();
    let kept = if pick.credential == 0 { "b" } else { "a" };
    world.balancer.update(pool(&[kept]), world.now).unwrap();
    assert_eq!(world.settle(&pick, rate(None), &mut attempts), Next::Elsewhere);
    world.findings();
    assert!(world.try_pick(&mut attempts).is_ok());
    assert_eq!(world.findings(), []);
}

#[test]
fn a_charge_is_given_back_only_while_its_attempt_has_not_begun() {
    let config = Config {
        providers: vec![
            provider("sick", vec![key("k")]),
            provider("limited", vec![key("k")]),
        ],
        groups: vec![group(vec![member("sick"), member("limited")])],
    };
    let mut world = World::of(config);
    let mut spent = 0;
    for _ in 0..40 {
        // Fails, is tried elsewhere, is refused there, and finds nothing more.
        let mut attempts = world.arrive();
        let request = keypool_balance::Request {
            group: 0,
            members: keypool_balance::MemberSet::of([0]),
            streamed: true,
        };
        let pick = world.balancer.pick(request, &mut attempts, world.now).unwrap();
        match world.settle(&pick, Observation::Server, &mut attempts) {
            Next::Elsewhere => {
                let pick = world.try_pick(&mut attempts).unwrap();
                assert_eq!(pick.provider, 1);
                assert_eq!(world.settle(&pick, rate(Some(1)), &mut attempts), Next::Elsewhere);
                let only = keypool_balance::MemberSet::of([1]);
                let request = keypool_balance::Request {
                    members: only,
                    ..request
                };
                assert!(world.balancer.pick(request, &mut attempts, world.now).is_err());
                world.balancer.clear_cooldown("limited", &[], world.now);
            }
            next => {
                assert_eq!(next, Next::Stop(StopReason::BudgetSpent));
                spent += 1;
            }
        }
        // Keeps the breaker closed.
        for _ in 0..2 {
            world.members = keypool_balance::MemberSet::of([0]);
            world.once(Observation::Success);
            world.members = keypool_balance::MemberSet::ALL;
        }
    }
    assert_eq!(spent, 10);
}

/// Two keys of the first tier come back at once; the backup is healthy.
fn two_trials_and_a_backup() -> World {
    let mut backup = member("b");
    backup.priority = 1;
    let config = Config {
        providers: vec![
            provider("a", vec![key("k1"), key("k2"), key("k3")]),
            provider("b", vec![key("k")]),
        ],
        groups: vec![group(vec![member("a"), backup])],
    };
    let mut world = World::of(config);
    for credential in 0..2 {
        world.hit(0, credential, rate(Some(10)));
    }
    world
}

#[test]
fn a_request_takes_a_second_trial_only_when_nothing_else_is_usable() {
    let mut world = two_trials_and_a_backup();
    world.hit(0, 2, rate(Some(500)));
    world.secs(13);
    let (used, end) = world.request(|pick| {
        if pick.provider == 0 {
            rate(Some(10))
        } else {
            Observation::Success
        }
    });
    assert_eq!(end, Ok(Next::Done));
    assert_eq!(
        used.iter().map(|(provider, _)| *provider).collect::<Vec<_>>(),
        [0, 1]
    );
}

#[test]
fn a_request_that_failed_without_a_trial_may_take_one() {
    let mut world = two_trials_and_a_backup();
    let mut attempts = world.arrive();
    let pick = world.try_pick(&mut attempts).unwrap();
    assert_eq!((pick.provider, pick.credential), (0, 2));
    world.secs(13);
    assert_eq!(
        world.settle(&pick, rate(Some(500)), &mut attempts),
        Next::Elsewhere
    );
    let pick = world.try_pick(&mut attempts).unwrap();
    assert_eq!((pick.provider, pick.trial), (0, true));
}
