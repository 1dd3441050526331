//! Providers that fail: their breakers, and never their keys.

use std::time::Duration;

use keypool_balance::config::MemberConfig;
use keypool_balance::health::{EndpointState, KeyState};
use keypool_balance::verdict::{Change, Finding};
use keypool_balance::{Config, EnvFault, Next, Observation, StopReason};

use crate::world::{World, group, key, member, pool, provider};

fn two_tiers() -> Config {
    let backup = MemberConfig {
        priority: 1,
        ..member("backup")
    };
    Config {
        providers: vec![
            provider("first", vec![key("k1"), key("k2")]),
            provider("backup", vec![key("k")]),
        ],
        groups: vec![group(vec![member("first"), backup])],
    }
}

#[test]
fn five_failures_in_a_row_open_it_and_every_request_is_served_elsewhere() {
    for fault in [
        Observation::Env(EnvFault::Refused),
        Observation::Server,
        Observation::Overload { hint: None },
    ] {
        let mut world = World::of(two_tiers());
        let down = move |pick: &keypool_balance::Pick| {
            if pick.provider == 0 {
                fault
            } else {
                Observation::Success
            }
        };
        let mut wasted = 0;
        for _ in 0..50 {
            let (used, end) = world.request(down);
            assert_eq!(end, Ok(Next::Done));
            wasted += used.iter().filter(|(provider, _)| *provider == 0).count();
        }
        assert_eq!(wasted, 5, "{fault:?}");
        for credential in 0..2 {
            assert_eq!(world.health(0, credential).state, KeyState::Unknown);
        }
    }
}

#[test]
fn half_of_twenty_attempts_open_it() {
    let mut world = World::of(pool(&["a"]));
    for attempt in 0..19 {
        world.once(if attempt % 2 == 0 {
            Observation::Server
        } else {
            Observation::Success
        });
    }
    assert!(world.balancer.health()[0].endpoint.open_until.is_none());
    world.once(Observation::Server);
    assert!(world.balancer.health()[0].endpoint.open_until.is_some());
    assert_eq!(world.refused().provider_down, 1);
}

impl World {
    /// One answer that begins well, and its end.
    fn relayed(&mut self, end: Observation) {
        let (pick, mut attempts) = self.pick();
        self.settle(&pick, Observation::Success, &mut attempts);
        self.settle(&pick, end, &mut attempts);
    }

    fn open(&self) -> bool {
        self.balancer.health()[0].endpoint.open_until.is_some()
    }
}

#[test]
fn answers_that_break_off_open_it_although_each_began_well() {
    let mut world = World::of(pool(&["a"]));
    for cuts in 1..=5 {
        assert!(!world.open(), "before cut {cuts}");
        world.relayed(Observation::Cut);
    }
    assert!(world.open());
}

#[test]
fn a_cut_counts_once() {
    // Of ten answers so many break off; never five in a row.
    for (cuts, opens) in [(9, true), (6, true), (5, true), (4, false), (1, false)] {
        let mut world = World::of(pool(&["a"]));
        let mut answers = 0;
        while !world.open() && answers < 200 {
            let end = match answers * cuts % 10 < cuts {
                true => Observation::Cut,
                false => Observation::Completed,
            };
            world.relayed(end);
            answers += 1;
        }
        assert_eq!(world.open(), opens, "{cuts} of 10");
        if cuts < 9 && opens {
            assert!((20..=21).contains(&answers), "{cuts} of 10: after {answers}");
        }
    }
}

#[test]
fn many_streams_at_once_that_break_off_open_it_whatever_begins_between() {
    let mut world = World::of(pool(&["a"]));
    let begin = |world: &mut World| {
        let (pick, mut attempts) = world.pick();
        world.settle(&pick, Observation::Success, &mut attempts);
        (pick, attempts)
    };
    let streams: Vec<_> = (0..5).map(|_| begin(&mut world)).collect();
    world.secs(30);
    for (pick, mut attempts) in streams {
        assert!(!world.open());
        begin(&mut world);
        world.settle(&pick, Observation::Cut, &mut attempts);
    }
    assert!(world.open());
}

#[test]
fn what_was_sent_before_it_opened_tells_nothing_after_it_closed_either() {
    for late in [
        Observation::Server,
        Observation::Cut,
        Observation::Unanswered,
        Observation::Overload { hint: None },
    ] {
        let mut world = World::of(pool(&["a"]));
        let mut flying: Vec<_> = (0..60).map(|_| world.pick()).collect();
        for (pick, mut attempts) in flying.drain(..5) {
            world.settle(&pick, Observation::Server, &mut attempts);
        }
        world.now = world.balancer.health()[0].endpoint.open_until.unwrap();
        assert!(world.once(Observation::Success).trial);
        for (pick, mut attempts) in flying {
            world.settle(&pick, late, &mut attempts);
            assert!(!world.open(), "{late:?}");
        }
        for _ in 0..5 {
            assert!(!world.open());
            world.once(Observation::Server);
        }
        assert!(world.open(), "what is sent since does");
    }
}

#[test]
fn fewer_than_half_do_not_and_neither_do_old_ones() {
    let mut world = World::of(pool(&["a"]));
    for attempt in 0..400 {
        world.once(if attempt % 5 < 2 {
            Observation::Server
        } else {
            Observation::Success
        });
    }
    let mut world = World::of(pool(&["a"]));
    for attempt in 0..400 {
        world.once(if attempt % 2 == 0 {
            Observation::Server
        } else {
            Observation::Success
        });
        world.pass(Duration::from_millis(700));
    }
}

#[test]
fn it_opens_for_5_s_doubling_to_60_with_one_trial_each() {
    let mut world = World::of(pool(&["a", "b"]));
    for _ in 0..5 {
        world.once(Observation::Server);
    }
    for expected in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
        let until = world.balancer.health()[0].endpoint.open_until.unwrap();
        let span = until.since(world.now).as_secs_f64();
        assert!(
            (expected..=expected * 1.2 + 0.001).contains(&span),
            "{span} for {expected}"
        );
        assert_eq!(world.refused().earliest, Some(until));
        world.now = until;
        let (trial, mut attempts) = world.pick();
        assert!(trial.trial);
        assert_eq!(
            world.refused().on_trial,
            2,
            "one trial for the provider, not one per key"
        );
        world.settle(&trial, Observation::Server, &mut attempts);
    }
    world.now = world.balancer.health()[0].endpoint.open_until.unwrap();
    assert!(world.once(Observation::Success).trial);
    assert_eq!(world.counts(10), [5, 5]);
}

#[test]
fn a_refusal_by_a_living_provider_closes_it() {
    let mut world = World::of(pool(&["a", "b"]));
    for _ in 0..5 {
        world.once(Observation::Server);
    }
    world.secs(7);
    let (trial, mut attempts) = world.pick();
    world.settle(&trial, crate::world::rate(Some(60)), &mut attempts);
    let (next, _) = world.pick();
    assert!(!next.trial && next.credential != trial.credential);
}

#[test]
fn a_trip_again_within_a_minute_waits_longer() {
    let mut world = World::of(pool(&["a"]));
    let mut trip = |quiet: u64| {
        for _ in 0..5 {
            world.once(Observation::Server);
        }
        let until = world.balancer.health()[0].endpoint.open_until.unwrap();
        let span = until.since(world.now).as_secs();
        world.now = until;
        assert!(world.once(Observation::Success).trial);
        world.secs(quiet);
        span
    };
    assert!((5..=6).contains(&trip(1)));
    assert!((10..=12).contains(&trip(61)));
    assert!((5..=6).contains(&trip(1)));
}

#[test]
fn what_was_sent_before_it_opened_tells_nothing() {
    let mut world = World::of(pool(&["a"]));
    let mut flying: Vec<_> = (0..30).map(|_| world.pick()).collect();
    for (pick, mut attempts) in flying.drain(..5) {
        world.settle(&pick, Observation::Server, &mut attempts);
    }
    let until = world.balancer.health()[0].endpoint.open_until;
    for (index, (pick, mut attempts)) in flying.into_iter().enumerate() {
        let late = if index % 2 == 0 {
            Observation::Server
        } else {
            Observation::Success
        };
        world.settle(&pick, late, &mut attempts);
        assert_eq!(world.balancer.health()[0].endpoint.open_until, until);
    }
}

#[test]
fn a_vendors_hint_keeps_it_open_up_to_a_minute() {
    for (hint, expected) in [(30, 30), (4_000, 60)] {
        let mut world = World::of(pool(&["a"]));
        for _ in 0..5 {
            world.once(Observation::Overload {
                hint: Some(Duration::from_secs(hint)),
            });
        }
        let until = world.balancer.health()[0].endpoint.open_until.unwrap();
        assert_eq!(until.since(world.now), Duration::from_secs(expected));
    }
}

#[test]
fn an_overloaded_model_leaves_the_others_alone() {
    let small = MemberConfig {
        name: "small".into(),
        model: "mini".into(),
        ..member("p")
    };
    let config = Config {
        providers: vec![provider("p", vec![key("a")])],
        groups: vec![group(vec![member("p"), small])],
    };
    let mut world = World::of(config);
    for _ in 0..20 {
        let (pick, mut attempts) = world.pick();
        let observation = if pick.member == 0 {
            Observation::Overload { hint: None }
        } else {
            Observation::Success
        };
        world.settle(&pick, observation, &mut attempts);
    }
    assert!((0..20).all(|_| world.once(Observation::Success).member == 1));
    assert_eq!(
        world.balancer.health()[0].endpoint.state,
        Some(EndpointState::Reachable)
    );
    assert_eq!(world.balancer.health()[0].endpoint.open_until, None);
}

#[test]
fn the_endpoints_state_is_told() {
    let states = |world: &mut World| -> Vec<EndpointState> {
        let endpoint = |change| match change {
            Change::Learned(report) => match report.finding {
                Finding::Endpoint { state } => Some(state),
                _ => None,
            },
            Change::ConfirmNeeded { .. } => None,
        };
        world
            .balancer
            .take_changes()
            .into_iter()
            .filter_map(endpoint)
            .collect()
    };
    let mut world = World::of(pool(&["a"]));
    assert_eq!(world.balancer.health()[0].endpoint.state, None);
    world.once(Observation::Success);
    assert_eq!(states(&mut world), [EndpointState::Reachable]);
    for (fault, state) in [
        (EnvFault::Refused, EndpointState::Refused),
        (EnvFault::Dns, EndpointState::DnsFailed),
        (EnvFault::Tls, EndpointState::TlsInvalid),
    ] {
        world.once(Observation::Env(fault));
        world.once(Observation::Env(fault));
        assert_eq!(states(&mut world), [state]);
        world.once(Observation::Success);
        assert_eq!(states(&mut world), [EndpointState::Reachable]);
    }
    for _ in 0..5 {
        world.once(Observation::Server);
    }
    assert_eq!(states(&mut world), [EndpointState::Overloaded]);
    world.secs(7);
    world.once(Observation::Success);
    assert_eq!(states(&mut world), [EndpointState::Reachable]);
}

#[test]
fn a_single_provider_is_asked_again_within_the_groups_attempts() {
    let mut world = World::of(pool(&["a"]));
    let (used, end) = world.request(|_| Observation::Env(EnvFault::Refused));
    assert_eq!((used.len(), end), (3, Ok(Next::Stop(StopReason::AttemptsUsed))));
}

#[test]
fn neither_does_it_decide_for_the_trial() {
    for late in [Observation::Server, Observation::Success] {
        let mut world = World::of(pool(&["a"]));
        let mut flying: Vec<_> = (0..6).map(|_| world.pick()).collect();
        let (straggler, mut stragglers) = flying.remove(0);
        for (pick, mut attempts) in flying {
            world.settle(&pick, Observation::Server, &mut attempts);
        }
        world.secs(7);
        world.settle(&straggler, late, &mut stragglers);
        assert!(world.pick().0.trial, "after a late {late:?}");
        world.refused();
    }
}
