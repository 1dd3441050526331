//! Keys whose account is empty.

use std::time::Duration;

use keypool_balance::config::CredentialConfig;
use keypool_balance::health::{KeyReason, KeyState};
use keypool_balance::verdict::{Advice, Finding, ForeignId, Scope};
use keypool_balance::{Account, Advisory, Config, Observation, ProbeVerdict, Proof};

use crate::world::{World, group, key, member, pool, provider};

const EXHAUSTED: (KeyState, KeyReason) = (KeyState::Exhausted, KeyReason::CreditExhausted);

fn spent(account: Account) -> Observation {
    Observation::Credit {
        hint: None,
        account,
        proof: Proof::MachineCode,
    }
}

/// Two keys of one organisation, and another.
fn organisation() -> Config {
    let shared = |name: &str| CredentialConfig {
        quota_group: Some("org".into()),
        ..key(name)
    };
    Config {
        providers: vec![provider("p", vec![shared("a"), shared("b"), key("c")])],
        groups: vec![group(vec![member("p")])],
    }
}

impl World {
    fn exhausted(&mut self) -> [bool; 3] {
        [0, 1, 2].map(|index| self.state(index) == EXHAUSTED)
    }

    fn told(&mut self) -> Scope {
        let scope = |finding| match finding {
            Finding::Exhausted { scope, .. } => Some(scope),
            _ => None,
        };
        self.findings().into_iter().find_map(scope).unwrap()
    }
}

#[test]
fn it_rests_longer_than_a_limit() {
    let mut world = World::of(pool(&["a", "b"]));
    world.hit(0, 0, spent(Account::QuotaGroup));
    assert_eq!(world.state(0), EXHAUSTED);
    let until = world.health(0, 0).until.unwrap().since(world.now);
    assert!((Duration::from_secs(600)..=Duration::from_secs(720)).contains(&until));
    assert_eq!(world.counts(10), [0, 10]);
}

#[test]
fn it_rests_those_who_pay_from_it_here_and_elsewhere() {
    let table = [
        (Account::QuotaGroup, [true, true, false]),
        (Account::Credential, [true, false, false]),
    ];
    for (account, expected) in table {
        let mut world = World::of(organisation());
        world.hit(0, 0, spent(account));
        assert_eq!(world.exhausted(), expected, "{account:?}");
        let scope = world.told();
        let mut other = World::of(organisation());
        let advisory = Advisory {
            id: ForeignId {
                instance: "first".into(),
                sequence: 1,
            },
            provider: "p".into(),
            advice: Advice::Exhausted {
                scope,
                until: other.now.after(Duration::from_secs(600)),
            },
        };
        other.balancer.apply_advisories(&[advisory], other.now);
        assert_eq!(other.exhausted(), expected, "{account:?}");
    }
}

#[test]
fn a_validation_call_proves_authentication_and_no_credit() {
    let mut world = World::of(organisation());
    world.hit(0, 0, spent(Account::Credential));
    let probe = world.balancer.start_probe("p", &key("a").fingerprint).unwrap();
    world.balancer.confirm(&probe, ProbeVerdict::Valid, world.now);
    assert_eq!(world.exhausted(), [true, false, false]);
    world.secs(721);
    world.hit(0, 0, Observation::Success);
    assert_eq!(world.state(0), (KeyState::Healthy, KeyReason::Proven));
}
