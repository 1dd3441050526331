//! The pool's side of validation calls: which are wanted, and what they showed.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use keypool_balance::health::{KeyReason, KeyState};
use keypool_balance::{ProbeTicket, ProbeVerdict};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Balanced, Pool};
use crate::probe::Unproven;
use crate::runtime::{Credential, Provider, Snapshot};

/// A key whose validation is wanted now.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Confirmation {
    /// UID of the provider.
    pub provider: Arc<str>,
    /// The value.
    pub fingerprint: Arc<str>,
}

/// A validation call that is about to be sent.
#[derive(Debug)]
pub struct OpenProbe {
    /// Whom to ask.
    pub provider: Arc<Provider>,
    credential: usize,
    ticket: ProbeTicket,
}

/// Wanted calls, in order; a key that waits already is not added again.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Confirmation>>,
    added: Notify,
}

impl Queue {
    pub(super) fn push(&self, confirmation: Confirmation) {
        let mut waiting = self.waiting.lock();
        if !waiting.contains(&confirmation) {
            waiting.push_back(confirmation);
            self.added.notify_one();
        }
    }
}

impl Pool {
    /// The next key whose validation is wanted.
    pub async fn confirmation(&self) -> Confirmation {
        loop {
            let added = self.confirmations.added.notified();
            if let Some(next) = self.confirmations.waiting.lock().pop_front() {
                return next;
            }
            added.await;
        }
    }

    /// Keys that a group uses and that nothing has proven yet, of providers whose keys may be probed.
    pub(crate) fn unproven(&self) -> Vec<Unproven> {
        let (health, _) = self.health();
        let state = self.state.lock();
        let Some(Balanced { snapshot, .. }) = &*state else {
            return Vec::new();
        };
        let mut unproven = Vec::new();
        let mut known = HashSet::new();
        for health in health {
            let probe = snapshot.provider(&health.uid).map(|provider| &provider.probe);
            let Some(probe) = probe.filter(|probe| probe.enabled) else {
                continue;
            };
            for credential in health.credentials {
                let in_use = credential.reason != KeyReason::NotInUse;
                let key = Confirmation {
                    provider: health.uid.clone(),
                    fingerprint: credential.fingerprint,
                };
                // Two credentials of one value are one key.
                if credential.state == KeyState::Unknown && in_use && known.insert(key.clone()) {
                    unproven.push(Unproven {
                        key,
                        interval: Duration::from_millis(probe.interval_ms),
                    });
                }
            }
        }
        unproven
    }

    /// Notes that a validation call is about to be sent; none when the key is gone.
    pub fn start_probe(&self, wanted: &Confirmation) -> Option<OpenProbe> {
        let mut state = self.state.lock();
        let Balanced { balancer, snapshot } = state.as_mut()?;
        let (provider, credential) = find(snapshot, wanted)?;
        let ticket = balancer.start_probe(&wanted.provider, &wanted.fingerprint)?;
        Some(OpenProbe {
            provider,
            credential,
            ticket,
        })
    }

    /// Learns from a validation call.
    pub fn confirm(&self, probe: &OpenProbe, verdict: ProbeVerdict) {
        let now = self.now();
        if let Some(balanced) = &mut *self.state.lock() {
            balanced.balancer.confirm(&probe.ticket, verdict, now);
            self.drain(&mut balanced.balancer);
        }
        self.note_change();
    }
}

fn find(snapshot: &Snapshot, wanted: &Confirmation) -> Option<(Arc<Provider>, usize)> {
    let provider = snapshot.provider(&wanted.provider)?;
    let place = provider
        .credentials
        .iter()
        .position(|credential| *credential.fingerprint == *wanted.fingerprint)?;
    Some((provider.clone(), place))
}

impl OpenProbe {
    /// The key to ask about.
    pub fn credential(&self) -> &Credential {
        // `find` has checked the place.
        &self.provider.credentials[self.credential]
    }
}
