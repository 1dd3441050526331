//! Invariants over random histories (`I3`, `I4`, `I13`, `I14` of the reliability design, and the states'), checked by an observer that knows only
//! what it sent and what came back.

use std::collections::HashMap;
use std::time::Duration;

use keypool_balance::config::{CredentialConfig, MemberConfig};
use keypool_balance::health::KeyState;
use keypool_balance::verdict::{Advice, CoolingReason, Finding, ForeignId, Scope};
use keypool_balance::{
    Account, Advisory, Attempts, Config, EnvFault, Next, Observation, Pick, ProbeVerdict, Proof, Reach, Time,
};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::prop_assert;
use proptest::test_runner::TestCaseError;

use crate::world::{World, group, key, member, provider};

#[derive(Clone, Debug)]
enum Op {
    Arrive,
    Settle(usize, Observation),
    Pass(u64),
    Reload(bool),
    Probe(usize, ProbeVerdict),
    Advise(usize, u64),
    Withdraw,
    Clear,
}

fn proof() -> impl Strategy<Value = Proof> {
    prop_oneof![Just(Proof::MachineCode), Just(Proof::Ambiguous)]
}

fn hint() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![
        Just(None),
        (0u64..2_000).prop_map(|secs| Some(Duration::from_secs(secs)))
    ]
}

fn refusal() -> impl Strategy<Value = Observation> {
    let reach = prop_oneof![Just(Reach::Model), Just(Reach::QuotaGroup)];
    let account = prop_oneof![Just(Account::QuotaGroup), Just(Account::Credential)];
    prop_oneof![
        (hint(), reach, proof()).prop_map(|(hint, reach, proof)| Observation::Rate { hint, reach, proof }),
        (hint(), account, proof()).prop_map(|(hint, account, proof)| Observation::Credit {
            hint,
            account,
            proof
        }),
        (any::<bool>(), proof()).prop_map(|(dead_code, proof)| Observation::Auth { dead_code, proof }),
        proof().prop_map(|proof| Observation::Model { proof }),
    ]
}

fn observation() -> impl Strategy<Value = Observation> {
    prop_oneof![
        4 => Just(Observation::Success),
        4 => refusal(),
        1 => hint().prop_map(|hint| Observation::Overload { hint }),
        1 => prop_oneof![
            Just(Observation::ClientFault), Just(Observation::TooBig), Just(Observation::Server), Just(Observation::Cut), Just(Observation::Completed),
            Just(Observation::Unanswered), Just(Observation::Cancelled), Just(Observation::Env(EnvFault::Tls)),
        ],
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let verdict = prop_oneof![
        Just(ProbeVerdict::Valid),
        Just(ProbeVerdict::Dead),
        Just(ProbeVerdict::NotVerifiable),
        Just(ProbeVerdict::Unsupported),
        Just(ProbeVerdict::Failed),
    ];
    prop_oneof![
        6 => Just(Op::Arrive),
        8 => (any::<usize>(), observation()).prop_map(|(index, observation)| Op::Settle(index, observation)),
        4 => (0u64..90_000).prop_map(Op::Pass),
        1 => any::<bool>().prop_map(Op::Reload),
        1 => (0usize..4, verdict).prop_map(|(key, verdict)| Op::Probe(key, verdict)),
        1 => (0usize..4, 0u64..400).prop_map(|(key, secs)| Op::Advise(key, secs)),
        1 => Just(Op::Withdraw),
        1 => Just(Op::Clear),
    ]
}

/// Four keys, two of them of one organisation, two models.
fn config() -> Config {
    let shared = |name: &str| CredentialConfig {
        quota_group: Some("org".into()),
        ..key(name)
    };
    let small = MemberConfig {
        name: "small".into(),
        model: "mini".into(),
        ..member("p")
    };
    Config {
        providers: vec![provider("p", vec![shared("a"), shared("b"), key("c"), key("d")])],
        groups: vec![group(vec![member("p"), small])],
    }
}

fn reloaded(other: bool) -> Config {
    let mut config = config();
    if other {
        // The order stays, so that the observer's indices do.
        config.providers[0].credentials[2].weight = 5;
        config.groups[0].members[1].weight = 3;
    }
    config
}

/// A quota group or a key, as the observer names them; with a model, or for all.
type Place = (&'static str, usize, Option<usize>);

fn quota(credential: usize) -> usize {
    credential.max(1)
}

/// An attempt that has not ended, and what it is the trial of.
struct Flying {
    pick: Pick,
    attempts: Attempts,
    trial: Vec<Place>,
    lease: Time,
}

struct Observer {
    world: World,
    flying: Vec<Flying>,
    /// Nothing may be sent before: a vendor's hint.
    floors: HashMap<Place, Time>,
    /// Nothing but a trial may be sent before: the shortest rest without a hint, and the refusal.
    soft: HashMap<Place, (Time, Time)>,
}

impl Observer {
    fn ways(pick: &Pick) -> [Place; 4] {
        let (credential, model) = (pick.credential, pick.member);
        [
            ("quota", quota(credential), None),
            ("quota", quota(credential), Some(model)),
            ("key", credential, None),
            ("key", credential, Some(model)),
        ]
    }

    /// Whether something was refused there, and nothing has succeeded since.
    fn stands(&self, way: &Place) -> bool {
        self.floors.contains_key(way) || self.soft.contains_key(way)
    }

    fn arrive(&mut self) -> Result<(), TestCaseError> {
        let attempts = self.world.arrive();
        self.attempt(attempts)
    }

    fn attempt(&mut self, mut attempts: Attempts) -> Result<(), TestCaseError> {
        let now = self.world.now;
        let Ok(pick) = self.world.try_pick(&mut attempts) else {
            return Ok(());
        };
        for way in Self::ways(&pick) {
            let floor = self.floors.get(&way).copied().unwrap_or(Time::ZERO);
            prop_assert!(floor <= now, "I3: {way:?} before the vendor's word");
            if let Some((until, refused)) = self.soft.get(&way)
                && *until > now
            {
                prop_assert!(pick.trial, "I3: {way:?} before its deadline and no trial");
                prop_assert!(
                    now.since(*refused) >= Duration::from_secs(5),
                    "early trial too early"
                );
            }
        }
        let lease = now.after(Duration::from_secs(120));
        let trial: Vec<Place> = Self::ways(&pick)
            .into_iter()
            .filter(|way| pick.trial && self.stands(way))
            .collect();
        let same = |other: &Flying| other.lease > now && other.trial.iter().any(|way| trial.contains(way));
        prop_assert!(!self.flying.iter().any(same), "two trials at once: {trial:?}");
        self.flying.push(Flying {
            pick,
            attempts,
            trial,
            lease,
        });
        Ok(())
    }

    fn settle(&mut self, index: usize, observation: Observation) -> Result<(), TestCaseError> {
        if self.flying.is_empty() {
            return Ok(());
        }
        let Flying {
            pick, mut attempts, ..
        } = self.flying.swap_remove(index % self.flying.len());
        let before = self.deadlines();
        let next = self.world.settle(&pick, observation, &mut attempts);
        if observation != Observation::Success {
            for (before, after) in before.iter().zip(self.deadlines()) {
                prop_assert!(
                    before <= &after,
                    "I4: a deadline moved back after {observation:?}"
                );
            }
        }
        self.note(&pick, observation);
        if observation == Observation::Success {
            // It decided for every trial of the same, as one does whose lease was over when it came.
            for other in &mut self.flying {
                other.trial.retain(|way| !Self::ways(&pick).contains(way));
            }
            for way in Self::ways(&pick) {
                self.soft.remove(&way);
                self.floors
                    .retain(|place, floor| place != &way || *floor > self.world.now);
            }
        }
        if next == Next::Elsewhere {
            self.attempt(attempts)?;
        }
        Ok(())
    }

    /// Remembers what a certain refusal must bring about.
    fn note(&mut self, pick: &Pick, observation: Observation) {
        let [whole_quota, model_quota, whole_key, model_key] = Self::ways(pick);
        let (place, hint, proof) = match observation {
            Observation::Rate {
                hint,
                reach: Reach::Model,
                proof,
            } => (model_quota, hint, proof),
            Observation::Rate {
                hint,
                reach: Reach::QuotaGroup,
                proof,
            } => (whole_quota, hint, proof),
            Observation::Credit { hint, account, proof } => {
                let place = match account {
                    Account::QuotaGroup => whole_quota,
                    Account::Credential => whole_key,
                };
                (place, Some(hint.unwrap_or(Duration::from_secs(600))), proof)
            }
            Observation::Auth { proof, .. } => (whole_key, None, proof),
            Observation::Model { proof } => (model_key, None, proof),
            _ => return,
        };
        if proof == Proof::Ambiguous {
            return;
        }
        let now = self.world.now;
        match hint {
            Some(hint) => {
                let floor = now.after(hint.clamp(Duration::from_millis(250), Duration::from_secs(900)));
                let known = self.floors.entry(place).or_default();
                *known = floor.max(*known);
            }
            None => {
                self.soft.insert(place, (now.after(Duration::from_secs(60)), now));
            }
        }
    }

    /// When each key comes back by itself; a dead one never does.
    fn deadlines(&mut self) -> Vec<Option<Time>> {
        let never = Time::from_nanos(u64::MAX);
        let credentials = self.world.balancer.health().remove(0).credentials.into_iter();
        credentials
            .map(|health| {
                if health.state == KeyState::Invalid {
                    Some(never)
                } else {
                    health.until
                }
            })
            .collect()
    }

    fn forget(&mut self) {
        self.floors.clear();
        self.soft.clear();
        // What was on trial is reset with the rest: the next refusal begins another one, whoever is still under way.
        self.flying.iter_mut().for_each(|flying| flying.trial.clear());
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Arrive => self.arrive()?,
            Op::Settle(index, observation) => self.settle(index, observation)?,
            Op::Pass(millis) => self.world.pass(Duration::from_millis(millis)),
            Op::Reload(other) => self
                .world
                .balancer
                .update(reloaded(other), self.world.now)
                .unwrap(),
            Op::Probe(index, verdict) => {
                let fingerprint = key(["a", "b", "c", "d"][index]).fingerprint;
                let probe = self.world.balancer.start_probe("p", &fingerprint).unwrap();
                let dead = self.world.state(index).0 == KeyState::Invalid;
                self.world.balancer.confirm(&probe, verdict, self.world.now);
                if verdict == ProbeVerdict::Valid {
                    self.soft.remove(&("key", index, None));
                    if dead {
                        self.floors.remove(&("key", index, None));
                    }
                }
            }
            Op::Advise(index, secs) => {
                let fingerprint = key(["a", "b", "c", "d"][index]).fingerprint;
                let until = self.world.now.after(Duration::from_secs(secs));
                let scope = Scope {
                    fingerprint,
                    quota_group: true,
                    model: None,
                };
                let id = ForeignId {
                    instance: "other".into(),
                    sequence: self.world.now.as_nanos(),
                };
                let advice = Advice::Cooling {
                    scope,
                    reason: CoolingReason::RateLimited,
                    until,
                    soft: secs % 2 == 0,
                };
                let advisory = Advisory {
                    id,
                    provider: "p".into(),
                    advice,
                };
                self.world.balancer.apply_advisories(&[advisory], self.world.now);
            }
            Op::Withdraw => self.world.balancer.apply_advisories(&[], self.world.now),
            Op::Clear => {
                self.world.balancer.clear_cooldown("p", &[], self.world.now);
                self.forget();
            }
        }
        self.check_states()
    }

    fn check_states(&mut self) -> Result<(), TestCaseError> {
        let now = self.world.now;
        self.world.balancer.advance(now);
        prop_assert!(
            self.world.balancer.next_deadline().is_none_or(|at| at > now),
            "a deadline that never passes"
        );
        for health in self.world.balancer.health().remove(0).credentials {
            let resting = matches!(health.state, KeyState::CoolingDown | KeyState::Exhausted);
            prop_assert!(health.until.is_some() == resting, "{health:?}");
            prop_assert!(health.until.is_none_or(|until| until > now), "{health:?}");
            prop_assert!(
                health
                    .until
                    .is_none_or(|until| until.since(now) <= Duration::from_secs(1_080)),
                "{health:?}"
            );
            prop_assert!(health.since <= now, "{health:?}");
            prop_assert!(health.models.is_empty() || !resting, "{health:?}");
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn deadlines_hold_and_every_state_has_an_exit(ops in vec(op(), 1..150), seed in any::<u64>()) {
        let world = World::seeded(config(), seed);
        let mut observer = Observer { world, flying: Vec::new(), floors: HashMap::new(), soft: HashMap::new() };
        for op in ops {
            observer.step(op)?;
        }
        // Everything but a dead key comes back by itself, and serves again.
        let world = &mut observer.world;
        world.balancer.apply_advisories(&[], world.now);
        world.secs(1_100);
        let mut alive = 0;
        for health in world.balancer.health().remove(0).credentials {
            prop_assert!(matches!(health.state, KeyState::Unknown | KeyState::Healthy | KeyState::Invalid), "{health:?}");
            alive += usize::from(health.state != KeyState::Invalid);
        }
        let mut used = [false; 4];
        for _ in 0..200 {
            let mut attempts = world.arrive();
            if let Ok(pick) = world.try_pick(&mut attempts) {
                world.settle(&pick, Observation::Success, &mut attempts);
                used[pick.credential] = true;
            }
        }
        prop_assert!(used.iter().filter(|used| **used).count() >= alive);
    }

    #[test]
    fn one_request_cools_one_key_by_doubt(
        answers in vec(refusal(), 12),
        seed in any::<u64>(),
        attempts in 0u32..12,
    ) {
        let mut config = config();
        config.groups[0].retry.attempts = attempts;
        let mut world = World::seeded(config, seed);
        let doubtful = |observation: Observation| match observation {
            Observation::Rate { reach, .. } => Observation::Rate { hint: Some(Duration::from_secs(50)), reach, proof: Proof::Ambiguous },
            Observation::Credit { hint, account, .. } => Observation::Credit { hint, account, proof: Proof::Ambiguous },
            Observation::Auth { dead_code, .. } => Observation::Auth { dead_code, proof: Proof::Ambiguous },
            _ => Observation::Model { proof: Proof::Ambiguous },
        };
        let mut answers = answers.into_iter().map(doubtful).cycle();
        let answers = std::cell::RefCell::new(&mut answers);
        let (used, _) = world.request(|_| answers.borrow_mut().next().unwrap());
        prop_assert!(used.len() <= attempts.max(1) as usize);
        let cooled = world.findings().iter().filter(|finding| {
            matches!(finding, Finding::Cooling { .. } | Finding::Exhausted { .. })
        }).count();
        prop_assert!(cooled <= 1, "I13: {cooled}");
        prop_assert!(world.asked().len() <= 1);
    }

    #[test]
    fn with_a_good_key_every_request_is_served(
        answers in vec(refusal(), 20),
        pauses in vec(0u64..100_000, 60),
        good in 2usize..4,
        seed in any::<u64>(),
    ) {
        let certain = |observation: Observation| match observation {
            Observation::Rate { hint, reach, .. } => Observation::Rate { hint, reach, proof: Proof::MachineCode },
            Observation::Credit { hint, account, .. } => Observation::Credit { hint, account, proof: Proof::MachineCode },
            Observation::Auth { dead_code, .. } => Observation::Auth { dead_code, proof: Proof::MachineCode },
            _ => Observation::Model { proof: Proof::MachineCode },
        };
        let mut world = World::seeded(config(), seed);
        let turn = std::cell::Cell::new(0usize);
        for pause in pauses {
            let (used, end) = world.request(|pick| {
                turn.set(turn.get() + 1);
                if pick.credential == good { Observation::Success } else { certain(answers[turn.get() % answers.len()]) }
            });
            prop_assert!(end == Ok(Next::Done), "I14: {end:?} after {used:?}");
            world.pass(Duration::from_millis(pause));
        }
    }
}
