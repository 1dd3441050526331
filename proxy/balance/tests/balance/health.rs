//! What people read about keys.

use keypool_balance::config::{CredentialConfig, MemberConfig};
use keypool_balance::health::{KeyReason, KeyState};
use keypool_balance::{Account, Config, Observation, Proof, Reach};

use crate::world::{World, group, key, member, pool, provider, rate, weighted};

#[test]
fn a_keys_life() {
    let mut world = World::of(pool(&["a"]));
    assert_eq!(world.state(0), (KeyState::Unknown, KeyReason::NotUsedYet));
    let proven_at = world.now;
    world.once(Observation::Success);
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::Proven));
    world.secs(10);
    let limited_at = world.now;
    world.once(rate(Some(45)));
    let health = world.health(0, 0);
    assert_eq!(
        (health.state, health.reason),
        (KeyState::CoolingDown, KeyReason::RateLimited)
    );
    assert_eq!(health.since, limited_at);
    let until = health.until.unwrap();
    world.now = until;
    let health = world.health(0, 0);
    assert_eq!(
        (health.state, health.reason),
        (KeyState::Healthy, KeyReason::CooldownOver)
    );
    assert_eq!((health.since, health.until), (until, None));
    world.once(Observation::Success);
    let health = world.health(0, 0);
    assert_eq!(
        (health.state, health.reason),
        (KeyState::Healthy, KeyReason::Proven)
    );
    assert!(health.since >= proven_at);
}

#[test]
fn a_limit_proves_that_the_vendor_knows_the_key_and_a_refusal_does_not() {
    for (observation, expected) in [
        (rate(Some(10)), (KeyState::Healthy, KeyReason::CooldownOver)),
        (
            Observation::Model {
                proof: Proof::MachineCode,
            },
            (KeyState::Unknown, KeyReason::NotUsedYet),
        ),
    ] {
        let mut world = World::of(pool(&["a"]));
        world.once(observation);
        world.secs(100);
        assert_eq!(world.state(0), expected);
    }
}

#[test]
fn switched_off_and_drained() {
    let off = CredentialConfig {
        enabled: false,
        ..key("off")
    };
    let config = Config {
        providers: vec![provider("p", vec![off, weighted("drained", 0)])],
        groups: vec![group(vec![member("p")])],
    };
    let mut world = World::of(config);
    assert_eq!(world.state(0), (KeyState::Disabled, KeyReason::Disabled));
    assert_eq!(world.state(1), (KeyState::Disabled, KeyReason::Drained));
}

#[test]
fn a_provider_that_no_group_uses() {
    let config = Config {
        providers: vec![provider("p", vec![key("a")])],
        groups: vec![],
    };
    assert_eq!(
        World::of(config).state(0),
        (KeyState::Unknown, KeyReason::NotInUse)
    );
}

#[test]
fn a_key_cools_down_only_when_every_model_in_use_does() {
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
    let first = world.once(rate(Some(300)));
    let health = world.health(0, 0);
    assert_eq!(
        health.state,
        KeyState::Unknown,
        "never proven, and one model is usable"
    );
    let model = &world.balancer.config().groups[0].members[first.member].model;
    assert_eq!(
        health.models.iter().map(|m| &m.model).collect::<Vec<_>>(),
        [model]
    );
    let second = world.once(rate(Some(100)));
    assert_ne!(second.member, first.member);
    let health = world.health(0, 0);
    assert_eq!(
        (health.state, health.reason),
        (KeyState::CoolingDown, KeyReason::RateLimited)
    );
    assert!(health.models.is_empty());
    assert!(
        health.until.unwrap().since(world.now).as_secs() <= 120,
        "the first one to come back"
    );
}

#[test]
fn credit_outweighs_a_limit_while_both_stand() {
    let mut world = World::of(pool(&["a"]));
    let flying: Vec<_> = (0..2).map(|_| world.pick()).collect();
    let limit = Observation::Rate {
        hint: None,
        reach: Reach::QuotaGroup,
        proof: Proof::MachineCode,
    };
    let credit = Observation::Credit {
        hint: None,
        account: Account::QuotaGroup,
        proof: Proof::MachineCode,
    };
    for ((pick, mut attempts), observation) in flying.into_iter().zip([credit, limit]) {
        world.settle(&pick, observation, &mut attempts);
    }
    assert_eq!(world.state(0), (KeyState::Exhausted, KeyReason::CreditExhausted));
}
