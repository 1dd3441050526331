//! The balancer: the one owner of everything that is learned about targets.

use std::collections::HashMap;

use crate::config::{Config, ConfigError, RetryConfig};
use crate::group::Group;
use crate::ids::{KeyId, LaneId, ProviderId, Tick};
use crate::journal::Journal;
use crate::layout::{self, Numbers};
use crate::member_set::MemberSet;
use crate::provider::{Provider, Unit};
use crate::random::Random;
use crate::time::Time;
use crate::timers::Timers;
use crate::verdict::{Change, ForeignId};

mod advice;
mod blame;
mod doubt;
mod last_usable;
mod learn;
mod no_target;
mod pick;
mod probe;
mod reset;
mod settle;
mod tell;
mod too_big;
mod units;
mod view;

use advice::Held;
use tell::Refutation;

/// Chooses targets and learns from what comes back. Not shared: its owner serialises the calls, each of which is short.
#[derive(Debug)]
pub struct Balancer {
    config: Config,
    /// Counts configurations: a ticket of this one knows its places by index.
    epoch: u64,
    providers: Vec<Provider>,
    groups: Vec<Group>,
    random: Random,
    tick: Tick,
    /// Counts changes of any gate.
    version: u64,
    timers: Timers,
    journal: Journal,
    advisories: Vec<Held>,
    /// Advised verdicts that an own success refuted, until the leader no longer sends them.
    refuted: HashMap<ForeignId, Refutation>,
    numbers: Numbers,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Index of the group in the current configuration.
    pub group: usize,
    /// The members that may serve it.
    pub members: MemberSet,
    /// Whether the answer is a stream: decides how long a trial holds its lease.
    pub streamed: bool,
}

/// A chosen target. The indices are those of the configuration that is current at the time of the pick.
#[derive(Clone, Debug)]
pub struct Pick {
    /// To be given back with the outcome.
    pub ticket: Ticket,
    /// Index of the member in its group.
    pub member: usize,
    /// Index of the provider.
    pub provider: usize,
    /// Index of the credential in the provider.
    pub credential: usize,
    /// True when this attempt decides whether something that rested is used again.
    pub trial: bool,
}

/// Names an attempt when its outcome is told. One that never comes back holds nothing longer than its lease.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    provider: ProviderId,
    key: KeyId,
    lane: LaneId,
    sent: Tick,
    trial: bool,
    retry: RetryConfig,
    epoch: u64,
    place: Place,
}

/// Where an attempt's provider, credential, key, quota group and lane stand in the current configuration.
#[derive(Clone, Copy, Debug)]
struct Place {
    provider: usize,
    key: usize,
    quota: usize,
    lane: usize,
}

/// Names a validation call when its outcome is told.
#[derive(Clone, Copy, Debug)]
pub struct ProbeTicket {
    provider: ProviderId,
    key: KeyId,
    sent: Tick,
}

impl Balancer {
    /// Begins to balance. `seed` is random per process: it decides ties, jitter and where a replica starts.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn new(config: Config, seed: u64, now: Time) -> Result<Self, ConfigError> {
        let mut balancer = Self {
            config: Config::default(),
            epoch: 0,
            providers: Vec::new(),
            groups: Vec::new(),
            random: Random::new(seed),
            tick: Tick::default(),
            version: 0,
            timers: Timers::default(),
            journal: Journal::default(),
            advisories: Vec::new(),
            refuted: HashMap::new(),
            numbers: Numbers::default(),
        };
        balancer.update(config, now)?;
        Ok(balancer)
    }

    /// Takes over another configuration. What was learned stays with each (provider UID, fingerprint) that is still there.
    ///
    /// # Errors
    /// When the configuration contradicts itself; the old one stays.
    pub fn update(&mut self, config: Config, now: Time) -> Result<(), ConfigError> {
        layout::check(&config)?;
        self.advance(now);
        let old = std::mem::take(&mut self.providers);
        self.providers = layout::providers(&config, old, &mut self.numbers, now);
        let groups = std::mem::take(&mut self.groups);
        self.groups = layout::groups(&config, &self.providers, &self.config, groups);
        self.config = config;
        self.epoch += 1;
        self.version += 1;
        self.set_timers();
        self.spread_advisories(now);
        self.tell_everything_new(now);
        Ok(())
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Does what time alone brings about. Picking and settling do so themselves; an idle owner calls it at [`Self::next_deadline`].
    pub fn advance(&mut self, now: Time) {
        while let Some((provider, unit)) = self.timers.pop(now) {
            self.elapse(provider, unit, now);
        }
    }

    /// When time alone changes something next.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What happened since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.journal.take()
    }

    /// Whether [`Self::take_changes`] would give anything.
    pub fn has_changes(&self) -> bool {
        self.journal.has_pending()
    }

    fn next_tick(&mut self) -> Tick {
        self.tick = Tick(self.tick.0 + 1);
        self.tick
    }

    fn set_timers(&mut self) {
        let entries = self.providers.iter().enumerate().flat_map(|(index, provider)| {
            let rests = provider
                .rests()
                .filter_map(|at| Some((provider.rest(at)?.deadline()?, Unit::Rest(at))));
            let breakers = provider
                .breakers()
                .filter_map(|at| Some((provider.breaker(at)?.deadline()?, Unit::Breaker(at))));
            rests
                .chain(breakers)
                .map(move |(deadline, unit)| (deadline, index, unit))
        });
        self.timers.replace(entries);
    }

    /// Where a ticket's attempt belongs now; none when its provider or value is gone.
    fn locate(&self, ticket: &Ticket) -> Option<Place> {
        if ticket.epoch == self.epoch {
            return Some(ticket.place);
        }
        let provider = self
            .providers
            .iter()
            .position(|provider| provider.id == ticket.provider)?;
        let held = &self.providers[provider];
        let key = held.keys.iter().position(|key| key.id == ticket.key)?;
        let lane = held.lanes.iter().position(|lane| lane.id == ticket.lane)?;
        let quota = held
            .credentials
            .iter()
            .find(|credential| credential.key == key)?
            .quota;
        Some(Place {
            provider,
            key,
            quota,
            lane,
        })
    }
}
