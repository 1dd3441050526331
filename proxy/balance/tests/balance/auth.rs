//! Refused keys: benched at once, `Invalid` only when confirmed.

use std::time::Duration;

use keypool_balance::health::{KeyReason, KeyState};
use keypool_balance::verdict::{CoolingReason, Finding, VerdictId};
use keypool_balance::{Config, EnvFault, Observation, ProbeVerdict, Proof};

use crate::world::{World, dead, group, key, member, pool, provider};

const COOLING: (KeyState, KeyReason) = (KeyState::CoolingDown, KeyReason::Refused);
const INVALID: (KeyState, KeyReason) = (KeyState::Invalid, KeyReason::RefusedByProvider);

fn unprobed() -> Config {
    let mut config = pool(&["a", "b"]);
    config.providers[0].probe_interval = None;
    config
}

impl World {
    pub(crate) fn probe(&mut self, name: &str, verdict: ProbeVerdict) {
        let ticket = self.balancer.start_probe("p", &key(name).fingerprint).unwrap();
        self.balancer.confirm(&ticket, verdict, self.now);
    }
}

#[test]
fn a_refusal_benches_the_key_and_asks_once() {
    let mut world = World::of(pool(&["a", "b"]));
    let flying: Vec<_> = (0..20)
        .map(|_| world.pick())
        .filter(|(pick, _)| pick.credential == 0)
        .collect();
    assert!(flying.len() > 5);
    for (pick, mut attempts) in flying {
        world.settle(&pick, dead(), &mut attempts);
    }
    assert_eq!(world.state(0), COOLING);
    assert_eq!(world.asked(), [key("a").fingerprint]);
    assert_eq!(world.counts(20), [0, 20]);
}

#[test]
fn each_answer_of_the_validation_call() {
    let valid = (KeyState::Healthy, KeyReason::CooldownOver);
    let table = [
        (ProbeVerdict::Dead, INVALID),
        (ProbeVerdict::Valid, valid),
        (ProbeVerdict::NotVerifiable, COOLING),
        (ProbeVerdict::Unsupported, COOLING),
        (ProbeVerdict::Failed, COOLING),
        (ProbeVerdict::Unreachable(EnvFault::Refused), COOLING),
    ];
    for (verdict, expected) in table {
        let mut world = World::of(pool(&["a", "b"]));
        world.hit(0, 0, dead());
        world.probe("a", verdict);
        assert_eq!(world.state(0), expected, "{verdict:?}");
    }
}

#[test]
fn a_confirmed_key_is_told_once_and_looked_at_again_slowly() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, dead());
    world.probe("a", ProbeVerdict::Dead);
    let told = world.findings();
    let kinds: Vec<_> = told
        .iter()
        .filter(|finding| !matches!(finding, Finding::Proven { .. }))
        .collect();
    assert!(
        matches!(
            kinds[..],
            [
                Finding::Cooling {
                    reason: CoolingReason::Refused,
                    ..
                },
                Finding::Invalid { .. }
            ]
        ),
        "{told:?}"
    );
    for _ in 0..5 {
        world.secs(899);
        assert_eq!(world.asked(), []);
        world.secs(182);
        assert_eq!(
            world.asked(),
            [key("a").fingerprint],
            "due again between 900 and 1080 s"
        );
        world.probe("a", ProbeVerdict::Dead);
        assert_eq!(world.findings(), [], "no news");
        assert_eq!(world.state(0), INVALID);
    }
    world.probe("a", ProbeVerdict::Valid);
    let refuted = world.findings();
    assert!(
        matches!(&refuted[..], [Finding::Proven { .. }, Finding::Refuted { verdicts }] if verdicts.len() == 2),
        "{refuted:?}"
    );
    assert!(world.pick().0.trial, "requests prove it");
}

#[test]
fn stragglers_of_a_confirmed_key_ask_for_nothing() {
    let mut world = World::of(pool(&["a", "b"]));
    let flying: Vec<_> = (0..20)
        .map(|_| world.pick())
        .filter(|(pick, _)| pick.credential == 0)
        .collect();
    for (index, (pick, mut attempts)) in flying.into_iter().enumerate() {
        world.settle(&pick, dead(), &mut attempts);
        assert_eq!(world.asked().len(), usize::from(index == 0));
        if index == 0 {
            world.probe("a", ProbeVerdict::Dead);
        }
    }
    assert_eq!(world.state(0), INVALID);
}

/// A server whose validation call is open to everybody, or whose policy keeps a valid key from chatting.
#[test]
fn a_key_that_the_call_accepts_and_requests_do_not_rests_ever_longer() {
    let mut world = World::of(pool(&["a", "b"]));
    let mut refusals = 0;
    let mut calls = 0;
    let mut rests = Vec::new();
    let end = world.now.after(Duration::from_secs(3_600));
    while world.now < end {
        for _ in 0..20 {
            let (pick, mut attempts) = world.pick();
            let refused = pick.credential == 0;
            refusals += u32::from(refused);
            let answer = if refused { dead() } else { Observation::Success };
            world.settle(&pick, answer, &mut attempts);
            if !world.asked().is_empty() {
                calls += 1;
                world.probe("a", ProbeVerdict::Valid);
            }
            if let Some(until) = world.health(0, 0).until.filter(|_| refused) {
                rests.push(until.since(world.now).as_secs());
            }
        }
        world.secs(1);
    }
    assert!(
        matches!(
            rests[..],
            [120..=144, 240..=288, 480..=576, 900..=1080, 900..=1080, ..]
        ),
        "{rests:?}"
    );
    assert!((6..=7).contains(&refusals), "{refusals}");
    assert_eq!(calls, refusals);
}

#[test]
fn between_two_successes_the_call_frees_it_each_time() {
    let mut world = World::of(pool(&["a", "b"]));
    for _ in 0..6 {
        world.hit(0, 0, dead());
        assert_eq!(world.state(0), COOLING);
        world.probe("a", ProbeVerdict::Valid);
        assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::CooldownOver));
        let trial = world.once(Observation::Success);
        assert_eq!((trial.credential, trial.trial), (0, true));
    }
}

/// The first validation was under way when a request was refused: what counts is the call after it.
#[test]
fn a_call_that_was_sent_before_the_refusal_does_not_use_up_the_next_ones_word() {
    let mut world = World::of(pool(&["a", "b"]));
    let early = world.balancer.start_probe("p", &key("a").fingerprint).unwrap();
    world.hit(0, 0, dead());
    world.balancer.confirm(&early, ProbeVerdict::Valid, world.now);
    assert_eq!(world.state(0), COOLING);
    world.probe("a", ProbeVerdict::Valid);
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::CooldownOver));
}

#[test]
fn a_dead_key_that_is_mended_is_freed_however_often_it_was_refused() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, dead());
    world.probe("a", ProbeVerdict::Failed);
    world.secs(73);
    world.hit(0, 0, dead());
    world.probe("a", ProbeVerdict::Dead);
    assert_eq!(world.state(0), INVALID);
    world.probe("a", ProbeVerdict::Valid);
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::CooldownOver));
    let trial = world.once(Observation::Success);
    assert_eq!((trial.credential, trial.trial), (0, true));
}

#[test]
fn first_validation() {
    let table = [
        (ProbeVerdict::Valid, (KeyState::Healthy, KeyReason::Proven)),
        (
            ProbeVerdict::NotVerifiable,
            (KeyState::Unknown, KeyReason::NotVerifiable),
        ),
        (
            ProbeVerdict::Unsupported,
            (KeyState::Unknown, KeyReason::NotVerifiable),
        ),
        (ProbeVerdict::Dead, INVALID),
        (ProbeVerdict::Failed, (KeyState::Unknown, KeyReason::NotUsedYet)),
        (
            ProbeVerdict::Unreachable(EnvFault::Dns),
            (KeyState::Unknown, KeyReason::NotUsedYet),
        ),
    ];
    for (verdict, expected) in table {
        let mut world = World::of(pool(&["a", "b"]));
        world.probe("a", verdict);
        assert_eq!(world.state(0), expected, "{verdict:?}");
        let used = world.counts(20)[0] > 0;
        assert_eq!(used, verdict != ProbeVerdict::Dead, "{verdict:?}");
    }
}

#[test]
fn a_success_outweighs_an_older_call() {
    let mut world = World::of(pool(&["a"]));
    let ticket = world.balancer.start_probe("p", &key("a").fingerprint).unwrap();
    world.once(Observation::Success);
    world.balancer.confirm(&ticket, ProbeVerdict::Dead, world.now);
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::Proven));
}

#[test]
fn without_a_validation_call_a_second_request_confirms() {
    let mut world = World::of(unprobed());
    world.hit(0, 0, dead());
    assert_eq!((world.state(0), world.asked()), (COOLING, vec![]));
    world.secs(73);
    let trial = world.once(dead());
    assert!(trial.trial);
    assert_eq!(world.state(0), INVALID);
    world.secs(899);
    assert_eq!(world.counts(5), [0, 5]);
    world.secs(182);
    let trial = world.once(Observation::Success);
    assert_eq!((trial.credential, trial.trial), (0, true), "an automatic exit");
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::Proven));
}

/// A bare 401, as servers send it that have no codes.
#[test]
fn a_doubtful_refusal_confirms_only_where_the_first_request_was_not_to_blame() {
    let bare = Observation::Auth {
        dead_code: true,
        proof: Proof::Ambiguous,
    };
    let only = || Config {
        providers: vec![keypool_balance::config::ProviderConfig {
            probe_interval: None,
            ..provider("p", vec![key("a")])
        }],
        groups: vec![group(vec![member("p")])],
    };
    for (config, proven, served_by_another, expected) in [
        (unprobed(), true, true, Some(INVALID)),
        (unprobed(), true, false, None),
        (only(), false, false, Some(INVALID)),
        (only(), true, false, None),
    ] {
        let mut world = World::of(config);
        if proven {
            world.counts(2);
        }
        for _ in 0..2 {
            // Requests are served until one meets the key.
            let mut attempts = loop {
                let (pick, mut attempts) = world.pick();
                if pick.credential == 0 {
                    world.settle(&pick, bare, &mut attempts);
                    break attempts;
                }
                world.settle(&pick, Observation::Success, &mut attempts);
            };
            if served_by_another {
                let pick = world.try_pick(&mut attempts).unwrap();
                world.settle(&pick, Observation::Success, &mut attempts);
            }
            world.now = world.health(0, 0).until.unwrap_or(world.now);
        }
        // The end of a rest is reached.
        let over = (KeyState::Healthy, KeyReason::CooldownOver);
        let found = Some(world.state(0)).filter(|state| *state != over);
        assert_eq!(found, expected, "{proven} {served_by_another}");
    }
}

/// Requests that the server always answers with a bare 401, say of a tenant that it does not let in.
#[test]
fn forbidden_requests_do_not_take_the_only_key_from_the_others() {
    let mut config = pool(&["a"]);
    config.providers[0].probe_interval = None;
    let mut world = World::of(config);
    world.once(Observation::Success);
    for _ in 0..5 {
        world.once(Observation::Auth {
            dead_code: true,
            proof: Proof::Ambiguous,
        });
        assert_eq!(world.state(0), COOLING);
        world.secs(6);
    }
    world.once(Observation::Success);
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::Proven));
    // A code that says so is believed of any key.
    world.once(dead());
    world.secs(6);
    world.once(dead());
    assert_eq!(world.state(0), INVALID);
}

#[test]
fn without_a_dead_keys_code_nothing_confirms() {
    let mut world = World::of(unprobed());
    for _ in 0..6 {
        world.hit(
            0,
            0,
            Observation::Auth {
                dead_code: false,
                proof: Proof::Ambiguous,
            },
        );
        assert_eq!(world.state(0), COOLING);
        world.now = world.health(0, 0).until.unwrap();
    }
}

#[test]
fn a_success_between_two_refusals_takes_the_suspicion_away() {
    let mut world = World::of(unprobed());
    for _ in 0..4 {
        world.hit(0, 0, dead());
        assert_eq!(world.state(0), COOLING);
        world.now = world.health(0, 0).until.unwrap();
        assert!(world.once(Observation::Success).trial);
    }
}

#[test]
fn a_missing_validation_call_is_noticed() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, dead());
    assert_eq!(world.asked().len(), 1);
    world.probe("a", ProbeVerdict::Unsupported);
    world.secs(73);
    world.once(dead());
    assert_eq!((world.state(0), world.asked()), (INVALID, vec![]));
}

#[test]
fn a_call_that_is_never_answered_is_asked_for_again() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, dead());
    assert_eq!(world.asked().len(), 1);
    world.secs(73);
    world.once(dead());
    assert_eq!(world.asked().len(), 1);
}

#[test]
fn a_reset_frees_a_dead_key_for_one_more_look() {
    let mut world = World::of(pool(&["a"]));
    world.once(dead());
    world.probe("a", ProbeVerdict::Dead);
    let why = world.refused();
    assert_eq!((why.invalid, why.waiting_helps()), (1, false));
    world.balancer.clear_cooldown("p", &[], world.now);
    assert!(
        matches!(&world.findings()[..], [.., Finding::Refuted { verdicts }] if verdicts.iter().all(|id| matches!(id, VerdictId::Own(_))))
    );
    world.once(Observation::Success);
}

#[test]
fn a_call_for_a_value_that_is_gone_teaches_nothing() {
    let mut world = World::of(pool(&["a", "b"]));
    let ticket = world.balancer.start_probe("p", &key("a").fingerprint).unwrap();
    let rotated = keypool_balance::config::CredentialConfig {
        fingerprint: "new".into(),
        ..key("a")
    };
    let config = Config {
        providers: vec![provider("p", vec![rotated])],
        groups: vec![group(vec![member("p")])],
    };
    world.balancer.update(config, world.now).unwrap();
    world.balancer.confirm(&ticket, ProbeVerdict::Dead, world.now);
    assert_eq!(world.state(0), (KeyState::Unknown, KeyReason::NotUsedYet));
    assert!(world.balancer.start_probe("p", &key("a").fingerprint).is_none());
}

#[test]
fn stragglers_after_an_answer_that_proved_nothing_ask_for_nothing() {
    let mut world = World::of(pool(&["a", "b"]));
    let mut flying: Vec<_> = (0..20)
        .map(|_| world.pick())
        .filter(|(pick, _)| pick.credential == 0)
        .collect();
    let (first, mut attempts) = flying.remove(0);
    world.settle(&first, dead(), &mut attempts);
    assert_eq!(world.asked().len(), 1);
    world.probe("a", ProbeVerdict::NotVerifiable);
    for (pick, mut attempts) in flying {
        world.settle(&pick, dead(), &mut attempts);
        assert_eq!(world.asked(), []);
    }
}
