//! The balancer: the one owner of everything that is learned about targets.

use std::sync::Arc;

use crate::attempts::Attempts;
use crate::config::{Config, ConfigError};
use crate::health::ProviderHealth;
use crate::ids::{KeyId, LaneId, ProviderId, Tick};
use crate::member_set::MemberSet;
use crate::no_target::NoTarget;
use crate::observation::{Observation, ProbeVerdict};
use crate::retry::Next;
use crate::time::Time;
use crate::verdict::{Advisory, Change, Reports};

/// Chooses targets and learns from what comes back. Not shared: its owner serialises the calls, each of which is short.
#[derive(Debug)]
pub struct Balancer {
    _config: Config,
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
    pub(crate) provider: ProviderId,
    pub(crate) key: KeyId,
    pub(crate) lane: LaneId,
    pub(crate) sent: Tick,
    pub(crate) retry: crate::config::RetryConfig,
}

/// Names a validation call when its outcome is told.
#[derive(Clone, Copy, Debug)]
pub struct ProbeTicket {
    pub(crate) provider: ProviderId,
    pub(crate) key: KeyId,
    pub(crate) sent: Tick,
}

#[allow(unused_variables, clippy::todo)]
impl Balancer {
    /// Begins to balance. `seed` is random per process: it decides ties, jitter and where a replica starts.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn new(config: Config, seed: u64, now: Time) -> Result<Self, ConfigError> {
        todo!()
    }

    /// Takes over another configuration. What was learned stays with each (provider UID, fingerprint) that is still there.
    ///
    /// # Errors
    /// When the configuration contradicts itself; the old one stays.
    pub fn update(&mut self, config: Config, now: Time) -> Result<(), ConfigError> {
        todo!()
    }

    /// Chooses the target of a request's next attempt.
    ///
    /// # Errors
    /// When nothing can serve it now: why, and whether waiting helps.
    pub fn pick(&mut self, request: Request, attempts: &mut Attempts, now: Time) -> Result<Pick, NoTarget> {
        todo!()
    }

    /// Learns from an attempt, and says whether the request is tried elsewhere.
    pub fn settle(
        &mut self,
        ticket: &Ticket,
        observation: Observation,
        attempts: &mut Attempts,
        now: Time,
    ) -> Next {
        todo!()
    }

    /// Notes that a validation call is about to be sent; none when the key is gone.
    pub fn start_probe(&mut self, provider: &str, fingerprint: &str, now: Time) -> Option<ProbeTicket> {
        todo!()
    }

    /// Learns from a validation call.
    pub fn confirm(&mut self, probe: &ProbeTicket, verdict: ProbeVerdict, now: Time) {
        todo!()
    }

    /// Replaces all advisories of other processes.
    pub fn apply_advisories(&mut self, advisories: &[Advisory], now: Time) {
        todo!()
    }

    /// A person's reset: ends the rests of a provider's credentials with these names, or of all when there are none.
    pub fn clear_cooldown(&mut self, provider: &str, names: &[Arc<str>], now: Time) {
        todo!()
    }

    /// Does what time alone brings about. [`Self::pick`] and [`Self::settle`] do so themselves; an idle owner calls it at [`Self::next_deadline`].
    pub fn advance(&mut self, now: Time) {
        todo!()
    }

    /// When time alone changes something next.
    pub fn next_deadline(&self) -> Option<Time> {
        todo!()
    }

    /// What happened since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        todo!()
    }

    /// Own findings after a sequence number, or all that hold now when those are no longer kept (or for `None`).
    pub fn reports_since(&self, sequence: Option<u64>, now: Time) -> Reports {
        todo!()
    }

    /// Health of every provider, in the configuration's order.
    pub fn health(&self, now: Time) -> Vec<ProviderHealth> {
        todo!()
    }
}
