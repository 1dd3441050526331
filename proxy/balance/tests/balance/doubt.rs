//! Refusals that a request may have earned: it cannot take the pool from others, and what is true is found all the same.

use std::time::Duration;

use keypool_balance::health::KeyState;
use keypool_balance::{Account, Attempts, Config, Next, Observation, Proof, Reach};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};

use crate::world::{World, group, key, member, pool, provider};

const BARE: Observation = Observation::Rate {
    hint: None,
    reach: Reach::Model,
    proof: Proof::Ambiguous,
};

/// The same with the vendor's word.
const HINTED: Observation = Observation::Rate {
    hint: Some(Duration::from_secs(20)),
    reach: Reach::Model,
    proof: Proof::Ambiguous,
};

fn poison() -> impl Strategy<Value = Observation> {
    let proof = Proof::Ambiguous;
    prop_oneof![
        Just(BARE),
        Just(Observation::Model { proof }),
        Just(Observation::Auth {
            dead_code: false,
            proof
        }),
        Just(Observation::Credit {
            hint: None,
            account: Account::QuotaGroup,
            proof
        }),
    ]
}

/// How many keys of the first provider rest.
fn resting(world: &mut World) -> usize {
    world.balancer.advance(world.now);
    let keys = world.balancer.health().remove(0).credentials.into_iter();
    keys.filter(|key| matches!(key.state, KeyState::CoolingDown | KeyState::Exhausted))
        .count()
}

/// Six keys at `p`, and `q` behind it.
fn with_backup() -> Config {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut config = Config {
        providers: vec![
            provider("p", names.map(key).into()),
            provider("q", vec![key("z")]),
        ],
        groups: vec![group(vec![member("p"), member("q")])],
    };
    config.groups[0].members[1].priority = 1;
    config.groups[0].retry.attempts = 9;
    config
}

#[test]
fn true_limits_without_a_code_are_found_and_then_cost_nothing() {
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    for seed in 0..50 {
        let mut world = World::seeded(pool(&names), seed);
        let answer = |credential: usize| {
            if credential == 7 {
                Observation::Success
            } else {
                BARE
            }
        };
        let mut failed = 0;
        for _ in 0..100 {
            let (_, end) = world.request(|pick| answer(pick.credential));
            failed += usize::from(end != Ok(Next::Done));
            world.pass(Duration::from_millis(100));
        }
        assert_eq!(resting(&mut world), 9, "seed {seed}");
        assert!(failed < 50, "seed {seed}: {failed}");
        let (used, end) = world.request(|pick| answer(pick.credential));
        assert_eq!((used.len(), end), (1, Ok(Next::Done)));
    }
}

#[test]
fn where_nobody_was_served_lately_every_doubt_is_believed() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut world = World::of(pool(&names));
    for rests in 1..=6 {
        assert_ne!(world.request(|_| BARE).1, Ok(Next::Done));
        assert_eq!(resting(&mut world), rests);
    }
    world.refused();
    let mut world = World::of(pool(&names));
    world.once(Observation::Success);
    for _ in 0..10 {
        assert_ne!(world.request(|_| BARE).1, Ok(Next::Done));
        assert_eq!(resting(&mut world), 1, "the keys served a moment ago");
    }
    world.secs(3);
    for rests in 2..=6 {
        assert_ne!(world.request(|_| BARE).1, Ok(Next::Done));
        assert_eq!(resting(&mut world), rests);
    }
}

#[test]
fn another_vendor_that_serves_a_request_says_nothing_about_the_keys() {
    let mut world = World::of(with_backup());
    world.once(Observation::Success);
    let elsewhere = |provider: usize| if provider == 0 { BARE } else { Observation::Success };
    for _ in 0..20 {
        let (used, end) = world.request(|pick| elsewhere(pick.provider));
        assert_eq!((used.last(), end), (Some(&(1, 0)), Ok(Next::Done)));
        assert_eq!(resting(&mut world), 1);
        assert_eq!(world.request(|_| Observation::Success).1, Ok(Next::Done));
    }
}

impl World {
    /// Three keys of which the last one rests on a doubt. A request is refused by the first, with a hint of 20 s, and not believed.
    fn doubted() -> (Self, Attempts) {
        let mut world = Self::of(pool(&["a", "b", "c"]));
        world.once(Observation::Success);
        world.hit(0, 2, BARE);
        let attempts = loop {
            let (pick, mut attempts) = world.pick();
            let first = pick.credential == 0;
            let answer = if first { HINTED } else { Observation::Success };
            world.settle(&pick, answer, &mut attempts);
            if first {
                break attempts;
            }
        };
        assert_eq!(resting(&mut world), 1);
        (world, attempts)
    }

    /// The doubted request goes to the second key.
    fn serve(&mut self, mut attempts: Attempts) {
        let pick = self.try_pick(&mut attempts).unwrap();
        assert_eq!(pick.credential, 1);
        self.settle(&pick, Observation::Success, &mut attempts);
    }
}

#[test]
fn a_doubt_that_is_believed_late_counts_from_its_refusal() {
    let (mut world, attempts) = World::doubted();
    let refused = world.now;
    world.secs(15);
    world.serve(attempts);
    let until = world.health(0, 0).until.unwrap().since(refused).as_secs_f64();
    assert!((20.0..=24.0).contains(&until), "{until}");
    let (mut world, attempts) = World::doubted();
    world.secs(20);
    world.serve(attempts);
    assert_eq!(resting(&mut world), 1, "the vendor's time is over");
}

#[test]
fn a_doubt_is_dropped_where_the_key_has_served_since() {
    let (mut world, attempts) = World::doubted();
    world.hit(0, 0, Observation::Success);
    world.serve(attempts);
    assert_eq!(resting(&mut world), 1);
}

#[test]
fn a_success_that_was_sent_before_the_doubt_tells_nothing_of_it() {
    let mut world = World::of(pool(&["a", "b", "c"]));
    world.once(Observation::Success);
    world.hit(0, 2, BARE);
    let mut to_first = (0..4)
        .map(|_| world.pick())
        .filter(|(pick, _)| pick.credential == 0)
        .collect::<Vec<_>>();
    let (doubted, mut attempts) = to_first.remove(0);
    let (other, mut others) = to_first.remove(0);
    world.settle(&doubted, HINTED, &mut attempts);
    assert_eq!(resting(&mut world), 1);
    world.settle(&other, Observation::Success, &mut others);
    world.serve(attempts);
    assert_eq!(resting(&mut world), 2);
}

proptest! {
    #[test]
    fn poison_rests_one_key_at_a_time_and_hurts_nobody_else(
        requests in vec((any::<bool>(), poison(), 0u64..1_400), 1..150),
        backup_takes_it in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut world = World::seeded(with_backup(), seed);
        world.once(Observation::Success);
        for (is_poison, answer, pause) in requests {
            if is_poison {
                let (_, end) = world.request(|pick| match pick.provider {
                    1 if backup_takes_it => Observation::Success,
                    _ => answer,
                });
                prop_assert_eq!(end == Ok(Next::Done), backup_takes_it);
            }
            prop_assert!(resting(&mut world) <= 1);
            let (used, end) = world.request(|_| Observation::Success);
            prop_assert_eq!(end, Ok(Next::Done));
            prop_assert!(used.iter().all(|(provider, _)| *provider == 0), "the first tier serves");
            prop_assert_eq!(used.len(), 1);
            world.pass(Duration::from_millis(pause));
        }
    }
}
