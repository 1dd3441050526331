//! The pool's side of the exchange: verdicts out; advisories and people's wishes in.

use std::collections::HashMap;
use std::sync::Arc;

use keypool_contract::exchange::{ClearCooldown, FirstValidation};
use keypool_contract::verdict::{Advisory, Verdict};
use parking_lot::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use super::{Confirmation, Pool, translate};
use crate::probe::Naming;

/// Own verdicts for a reader.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// True when `verdicts` is everything that holds.
    pub snapshot: bool,
    /// In order.
    pub verdicts: Vec<Verdict>,
    /// The number up to which this tells everything.
    pub sequence: u64,
}

/// The last token of each provider's clear-cooldown wish: a token acts once.
#[derive(Default)]
pub(super) struct Clears(Mutex<HashMap<String, String>>);

impl Pool {
    /// Own verdicts after `confirmed`; all that hold for a reader without a number, or when some after it are no longer
    /// kept.
    pub fn learned_since(&self, confirmed: Option<u64>) -> Learned {
        let now = self.now();
        let state = self.state.lock();
        let Some(balanced) = &*state else {
            return Learned {
                snapshot: confirmed.is_none(),
                ..Learned::default()
            };
        };
        let reports = balanced.balancer.reports_since(confirmed, now);
        drop(state);
        Learned {
            snapshot: reports.snapshot,
            sequence: reports.sequence,
            verdicts: reports
                .reports
                .into_iter()
                .map(|report| translate::verdict(&self.instance, report, now))
                .collect(),
        }
    }

    /// Cancelled once a leader has told what is known about the keys, or nobody waits for that any more.
    pub fn briefed(&self) -> &CancellationToken {
        &self.briefed
    }

    /// A leader is to come: what it has not named waits.
    pub(crate) fn await_leader(&self) {
        *self.naming.lock() = Naming::Awaited { since: self.now() };
    }

    /// A leader speaks.
    pub fn hear_leader(&self) {
        self.naming.lock().hear(self.now());
    }

    /// A leader says which keys' first validation is this pod's, replacing what it said before.
    pub fn name_first_validations(&self, named: &[FirstValidation]) {
        let keys = named.iter().map(|key| Confirmation {
            provider: key.provider.as_str().into(),
            fingerprint: key.fingerprint.as_str().into(),
        });
        self.naming.lock().name(keys.collect(), self.now());
        self.note_change();
    }

    /// Whose first validations are.
    pub(crate) fn naming(&self) -> MutexGuard<'_, Naming> {
        self.naming.lock()
    }

    /// Replaces all advisories. One that names a verdict of this very process is left out: it knows better.
    pub fn advise(&self, advisories: &[Advisory]) {
        let now = self.now();
        let advisories: Vec<_> = advisories
            .iter()
            .filter(|advisory| *advisory.id.instance != *self.instance)
            .filter_map(|advisory| translate::advisory(advisory, now))
            .collect();
        match &mut *self.state.lock() {
            Some(balanced) => {
                balanced.balancer.apply_advisories(&advisories, now);
                self.drain(&mut balanced.balancer);
            }
            None => *self.early.lock() = advisories,
        }
        self.briefed.cancel();
        self.note_change();
    }

    /// Ends cooldowns that a person wants ended, once per token.
    pub fn clear(&self, wish: &ClearCooldown) {
        let seen = self
            .clears
            .0
            .lock()
            .insert(wish.provider.clone(), wish.token.clone());
        if seen.as_ref() == Some(&wish.token) {
            return;
        }
        let names: Vec<Arc<str>> = wish.credentials.iter().map(|name| name.as_str().into()).collect();
        let now = self.now();
        if let Some(balanced) = &mut *self.state.lock() {
            balanced.balancer.clear_cooldown(&wish.provider, &names, now);
            self.drain(&mut balanced.balancer);
        }
        self.note_change();
    }
}
