//! A balancer with a clock that the test turns, and short words for configurations.

use std::sync::Arc;
use std::time::Duration;

use keypool_balance::config::{
    Ambiguous, CooldownConfig, CredentialConfig, GroupConfig, MemberConfig, ProviderConfig, RetryConfig,
    Strategy,
};
use keypool_balance::health::{CredentialHealth, KeyReason, KeyState};
use keypool_balance::verdict::{Change, Finding};
use keypool_balance::{
    Attempts, Balancer, Config, MemberSet, Next, NoTarget, Observation, Pick, Proof, Reach, Request, Time,
};

pub(crate) const MODEL: &str = "gpt-4.1";

/// A key named by its index, of weight 1 and priority 0.
pub(crate) fn key(name: &str) -> CredentialConfig {
    CredentialConfig {
        name: name.into(),
        fingerprint: format!("value-of-{name}").into(),
        weight: 1,
        priority: 0,
        enabled: true,
        quota_group: None,
        models: Vec::new(),
    }
}

pub(crate) fn weighted(name: &str, weight: u32) -> CredentialConfig {
    CredentialConfig { weight, ..key(name) }
}

pub(crate) fn provider(uid: &str, credentials: Vec<CredentialConfig>) -> ProviderConfig {
    ProviderConfig {
        uid: uid.into(),
        cooldown: CooldownConfig {
            initial: Duration::from_secs(60),
            max: Duration::from_secs(900),
        },
        probe_interval: Some(Duration::from_secs(900)),
        stream_lease: Duration::from_secs(120),
        response_lease: Duration::from_secs(600),
        credentials,
    }
}

pub(crate) fn member(uid: &str) -> MemberConfig {
    MemberConfig {
        name: uid.into(),
        provider: uid.into(),
        model: MODEL.into(),
        priority: 0,
        weight: 1,
    }
}

pub(crate) fn group(members: Vec<MemberConfig>) -> GroupConfig {
    GroupConfig {
        name: "chat".into(),
        members,
        strategy: Strategy::WeightedRoundRobin,
        retry: RetryConfig {
            attempts: 3,
            deadline: Duration::from_secs(60),
            ambiguous: Ambiguous::Never,
        },
    }
}

/// One provider `p` with these keys, one member.
pub(crate) fn pool(names: &[&str]) -> Config {
    let keys = names.iter().map(|name| key(name)).collect();
    Config {
        providers: vec![provider("p", keys)],
        groups: vec![group(vec![member("p")])],
    }
}

pub(crate) fn rate(hint: Option<u64>) -> Observation {
    Observation::Rate {
        hint: hint.map(Duration::from_secs),
        reach: Reach::Model,
        proof: Proof::MachineCode,
    }
}

pub(crate) fn dead() -> Observation {
    Observation::Auth {
        dead_code: true,
        proof: Proof::MachineCode,
    }
}

pub(crate) struct World {
    pub(crate) balancer: Balancer,
    pub(crate) now: Time,
    pub(crate) streamed: bool,
    pub(crate) members: MemberSet,
}

impl World {
    pub(crate) fn of(config: Config) -> Self {
        Self::seeded(config, 1)
    }

    pub(crate) fn seeded(config: Config, seed: u64) -> Self {
        let now = Time::from_millis(1_000_000);
        let balancer = Balancer::new(config, seed, now).unwrap();
        Self {
            balancer,
            now,
            streamed: true,
            members: MemberSet::ALL,
        }
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.now = self.now.after(span);
        self.balancer.advance(self.now);
    }

    pub(crate) fn secs(&mut self, secs: u64) {
        self.pass(Duration::from_secs(secs));
    }

    pub(crate) fn arrive(&self) -> Attempts {
        Attempts::new(self.now)
    }

    pub(crate) fn try_pick(&mut self, attempts: &mut Attempts) -> Result<Pick, NoTarget> {
        let request = Request {
            group: 0,
            members: self.members,
            streamed: self.streamed,
        };
        self.balancer.pick(request, attempts, self.now)
    }

    pub(crate) fn pick(&mut self) -> (Pick, Attempts) {
        let mut attempts = self.arrive();
        let pick = self.try_pick(&mut attempts).unwrap();
        (pick, attempts)
    }

    pub(crate) fn refused(&mut self) -> NoTarget {
        let mut attempts = self.arrive();
        self.try_pick(&mut attempts).unwrap_err()
    }

    pub(crate) fn refused_or_served(&mut self) {
        let mut attempts = self.arrive();
        if let Ok(pick) = self.try_pick(&mut attempts) {
            self.settle(&pick, Observation::Success, &mut attempts);
        }
    }

    pub(crate) fn settle(&mut self, pick: &Pick, observation: Observation, attempts: &mut Attempts) -> Next {
        self.balancer
            .settle(&pick.ticket, observation, attempts, self.now)
    }

    /// One attempt of a new request; gives its pick.
    pub(crate) fn once(&mut self, observation: Observation) -> Pick {
        let (pick, mut attempts) = self.pick();
        self.settle(&pick, observation, &mut attempts);
        pick
    }

    /// Sends requests until one of them reaches this credential, and settles that with the observation, the others with a success.
    pub(crate) fn hit(&mut self, provider: usize, credential: usize, observation: Observation) -> Next {
        for _ in 0..1_000 {
            let (pick, mut attempts) = self.pick();
            if (pick.provider, pick.credential) == (provider, credential) {
                return self.settle(&pick, observation, &mut attempts);
            }
            self.settle(&pick, Observation::Success, &mut attempts);
        }
        panic!("credential {credential} of provider {provider} is never chosen");
    }

    /// A whole request: attempts until it is answered or given up. Gives the credentials in order, and the end.
    pub(crate) fn request(
        &mut self,
        answer: impl Fn(&Pick) -> Observation,
    ) -> (Vec<(usize, usize)>, Result<Next, NoTarget>) {
        let mut attempts = self.arrive();
        let mut used = Vec::new();
        loop {
            let pick = match self.try_pick(&mut attempts) {
                Ok(pick) => pick,
                Err(why) => return (used, Err(why)),
            };
            used.push((pick.provider, pick.credential));
            match self.settle(&pick, answer(&pick), &mut attempts) {
                Next::Elsewhere => {}
                next => return (used, Ok(next)),
            }
        }
    }

    /// How often each credential of provider 0 serves in so many requests, all successful.
    pub(crate) fn counts(&mut self, requests: usize) -> Vec<u32> {
        let mut counts = vec![0; self.balancer.config().providers[0].credentials.len()];
        for _ in 0..requests {
            let pick = self.once(Observation::Success);
            if pick.provider == 0 {
                counts[pick.credential] += 1;
            }
        }
        counts
    }

    /// Seconds until a request reaches this credential, looking every half second.
    pub(crate) fn returns_after(&mut self, credential: usize, limit: u64) -> Option<f64> {
        let start = self.now;
        while self.now.since(start) < Duration::from_secs(limit) {
            for _ in 0..20 {
                let Ok(pick) = self.try_pick(&mut Attempts::new(self.now)) else {
                    break;
                };
                let hit = pick.credential == credential;
                self.balancer.settle(
                    &pick.ticket,
                    Observation::Success,
                    &mut Attempts::new(self.now),
                    self.now,
                );
                if hit {
                    return Some(self.now.since(start).as_secs_f64());
                }
            }
            self.pass(Duration::from_millis(500));
        }
        None
    }

    /// What was learned of keys since the last look.
    pub(crate) fn findings(&mut self) -> Vec<Finding> {
        let learned = |change| match change {
            Change::Learned(report) => {
                Some(report.finding).filter(|finding| !matches!(finding, Finding::Endpoint { .. }))
            }
            Change::ConfirmNeeded { .. } => None,
        };
        self.balancer
            .take_changes()
            .into_iter()
            .filter_map(learned)
            .collect()
    }

    /// Fingerprints for which a validation call was asked.
    pub(crate) fn asked(&mut self) -> Vec<Arc<str>> {
        let asked = |change| match change {
            Change::ConfirmNeeded { fingerprint, .. } => Some(fingerprint),
            Change::Learned(_) => None,
        };
        self.balancer
            .take_changes()
            .into_iter()
            .filter_map(asked)
            .collect()
    }

    pub(crate) fn health(&mut self, provider: usize, credential: usize) -> CredentialHealth {
        self.balancer.advance(self.now);
        self.balancer.health()[provider].credentials[credential].clone()
    }

    pub(crate) fn state(&mut self, credential: usize) -> (KeyState, KeyReason) {
        let health = self.health(0, credential);
        (health.state, health.reason)
    }
}
