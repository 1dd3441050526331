//! The only owner of balance state: chooses targets, learns from outcomes, tells the leader and hears from it.
//!
//! One lock guards the balancer and the snapshot that it balances, so an index always means what it meant when it was
//! given. Every attempt takes its target whole from the snapshot that is current at its pick: a request that began before a
//! reload and rotates after it uses the new keys, and no attempt ever sees two documents.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keypool_balance::health::ProviderHealth;
use keypool_balance::{Advisory, Attempts, Balancer, MemberSet, Observation, Request, Ticket, Time};
use keypool_contract::{ConfigError, ConfigErrorCode};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::probe::Naming;
use crate::runtime::{Group, Snapshot};

mod config;
mod journey;
mod leader;
mod observe;
mod probing;
mod target;
mod transitions;
mod translate;
mod unavailable;

pub use journey::Journey;
pub use keypool_balance::{EnvFault, Next, StopReason};
pub use leader::Learned;
pub use observe::Attempted;
pub use probing::{Confirmation, OpenProbe};
pub use target::Target;
pub use unavailable::Unavailable;

/// Balance state of the process.
pub struct Pool {
    /// Names this process in verdicts: random at its start.
    instance: Arc<str>,
    seed: u64,
    epoch: Instant,
    state: Mutex<Option<Balanced>>,
    /// What was advised before the first document.
    early: Mutex<Vec<Advisory>>,
    /// Counts what was learned; a held poll and the watch for transitions wait on it.
    learned: watch::Sender<u64>,
    confirmations: probing::Queue,
    clears: leader::Clears,
    naming: Mutex<Naming>,
    briefed: CancellationToken,
}

/// The balancer and what its indices mean.
struct Balanced {
    balancer: Balancer,
    snapshot: Arc<Snapshot>,
}

impl Pool {
    /// An empty pool. `instance` names the process, `seed` decides ties and jitter.
    pub fn new(instance: Arc<str>, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            instance,
            seed,
            epoch: Instant::now(),
            state: Mutex::new(None),
            early: Mutex::default(),
            learned: watch::Sender::new(0),
            confirmations: probing::Queue::default(),
            clears: leader::Clears::default(),
            naming: Mutex::default(),
            briefed: CancellationToken::new(),
        })
    }

    /// The process's name in verdicts.
    pub fn instance(&self) -> &Arc<str> {
        &self.instance
    }

    /// Takes a snapshot in. What was learned stays with each (provider UID, fingerprint) that is still there.
    ///
    /// # Errors
    /// When the snapshot cannot be balanced; the one before stays.
    pub(crate) fn update(&self, snapshot: &Arc<Snapshot>) -> Result<(), ConfigError> {
        let refused = |_| ConfigError::new(ConfigErrorCode::OutOfRange, "");
        let config = config::of(snapshot);
        let now = self.now();
        let mut state = self.state.lock();
        match &mut *state {
            Some(balanced) => {
                balanced.balancer.update(config, now).map_err(refused)?;
                balanced.snapshot = snapshot.clone();
            }
            None => {
                let mut balancer = Balancer::new(config, self.seed, now).map_err(refused)?;
                balancer.apply_advisories(&self.early.lock(), now);
                *state = Some(Balanced {
                    balancer,
                    snapshot: snapshot.clone(),
                });
            }
        }
        drop(state);
        self.note_change();
        Ok(())
    }

    /// Health of every provider, advisories included, and the moment that its times count from; empty before the first
    /// document.
    pub fn health(&self) -> (Vec<ProviderHealth>, Time) {
        let now = self.now();
        let mut state = self.state.lock();
        let Some(Balanced { balancer, .. }) = &mut *state else {
            return (Vec::new(), now);
        };
        balancer.advance(now);
        self.drain(balancer);
        (balancer.health(), now)
    }

    /// Changes whenever something was learned, advised or reconfigured.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.learned.subscribe()
    }

    /// The moment, in the pool's time.
    pub fn now(&self) -> Time {
        self.time_of(Instant::now())
    }

    fn time_of(&self, at: Instant) -> Time {
        let since = at.saturating_duration_since(self.epoch);
        Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn note_change(&self) {
        self.learned.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn pick(
        &self,
        snapshot: &Arc<Snapshot>,
        group: &Group,
        request: Request,
        attempts: &mut Attempts,
    ) -> Result<(Target, Ticket), Unavailable> {
        let now = self.now();
        let mut state = self.state.lock();
        let Some(Balanced {
            balancer,
            snapshot: current,
        }) = &mut *state
        else {
            return Err(Unavailable::nothing());
        };
        let request = in_force(snapshot, group, current, request).ok_or_else(Unavailable::nothing)?;
        let picked = balancer.pick(request, attempts, now);
        let picked = match picked {
            Ok(pick) => current
                .groups()
                .get(request.group)
                .and_then(|group| group.members.get(pick.member))
                .and_then(|member| Target::new(member.clone(), pick.credential, pick.trial))
                .map(|target| (target, pick.ticket))
                .ok_or_else(Unavailable::nothing),
            Err(why) => Err(Unavailable {
                earliest: why.earliest.map(|at| at.since(now)),
                attempts: attempts.count(),
                why,
            }),
        };
        self.drain(balancer);
        picked
    }

    /// How long until the request may be served, were it sent again; none when waiting cannot help.
    fn earliest(
        &self,
        snapshot: &Arc<Snapshot>,
        group: &Group,
        request: Request,
        attempts: &Attempts,
    ) -> Option<Duration> {
        let now = self.now();
        let mut state = self.state.lock();
        let balanced = state.as_mut()?;
        let request = in_force(snapshot, group, &balanced.snapshot, request)?;
        let earliest = balanced.balancer.earliest(request, attempts, now);
        self.drain(&mut balanced.balancer);
        Some(earliest?.since(now))
    }

    fn settle(&self, ticket: &Ticket, observation: Observation, attempts: &mut Attempts) -> Next {
        let now = self.now();
        let mut state = self.state.lock();
        let Some(Balanced { balancer, .. }) = &mut *state else {
            return Next::Stop(StopReason::AttemptsUsed);
        };
        let next = balancer.settle(ticket, observation, attempts, now);
        self.drain(balancer);
        next
    }

    /// Hands on what the balancer has to tell. Called under the lock, after everything that may have taught it.
    fn drain(&self, balancer: &mut Balancer) {
        if !balancer.has_changes() {
            return;
        }
        for change in balancer.take_changes() {
            if let keypool_balance::Change::ConfirmNeeded {
                provider,
                fingerprint,
            } = change
            {
                self.confirmations.push(Confirmation {
                    provider,
                    fingerprint,
                });
            }
        }
        self.note_change();
    }

    /// Does what time alone brings about, for as long as the process lives.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        let mut changes = self.changes();
        loop {
            // Before looking: what changes from here on ends the wait below.
            changes.borrow_and_update();
            let wait = {
                let now = self.now();
                let mut state = self.state.lock();
                state.as_mut().and_then(|balanced| {
                    balanced.balancer.advance(now);
                    self.drain(&mut balanced.balancer);
                    balanced.balancer.next_deadline().map(|at| at.since(now))
                })
            };
            // A deadline that has passed and is still there must not become a busy loop.
            let wait = wait
                .unwrap_or(Duration::from_secs(60))
                .max(Duration::from_millis(20));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                result = changes.changed() => if result.is_err() { return },
            }
        }
    }
}

/// A request that was resolved in one snapshot, in the words of the current one: names stay, places may not.
fn in_force(
    resolved: &Arc<Snapshot>,
    group: &Group,
    current: &Arc<Snapshot>,
    request: Request,
) -> Option<Request> {
    if Arc::ptr_eq(resolved, current) {
        return Some(request);
    }
    let now = current
        .group(&group.name)
        .filter(|now| now.namespace == group.namespace)?;
    let names: Vec<&str> = group
        .members
        .iter()
        .filter(|member| request.members.has(member.index))
        .map(|member| &*member.name)
        .collect();
    let members = now.members.iter().filter(|member| names.contains(&&*member.name));
    Some(Request {
        group: now.index,
        members: MemberSet::of(members.map(|member| member.index)),
        streamed: request.streamed,
    })
}

#[cfg(test)]
mod tests;
