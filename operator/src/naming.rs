//! Which pod makes a key's first validation.
//!
//! Rules. A key that nothing has proven is named for one pod at a time, whatever fleets use its provider; a key that is proven for none.
//! Names are given when a pod's next exchange is put together: the first pod that runs the key gets it, because who asks is alive,
//! and nobody waits for a particular pod. A pod that does not run the fleet's document yet gets nothing new, and keeps what it has.
//! A name passes on when its pod is gone, when it was silent for [`SILENT_AFTER`], or when it has told nothing about the key
//! for [`TOLD_WITHIN`] and another pod is there: that one's way to the provider may be open. Each time it has longer, so that a provider that is
//! down is not asked by one pod after the other. A pod that told that the call cannot tell has done its part.
//!
//! It knows no clock: [`Monotonic`] is an argument everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keypool_contract::exchange::FirstValidation;

use crate::controller::load_balance_group::status::SILENT_AFTER;
use crate::ledger::Unproven;
use crate::moment::Monotonic;

/// Long enough for two calls that time out at the default.
pub const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// How often that time doubles.
const DOUBLINGS: u32 = 5;

/// What a pod is to validate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Names {
    /// The keys.
    pub keys: BTreeSet<FirstValidation>,
    /// Whether one of them was another living pod's, which is to be told.
    pub taken: bool,
}

/// The names that one leader has given.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    named: BTreeMap<FirstValidation, Named>,
    /// When each instance was last heard.
    heard: BTreeMap<String, Monotonic>,
}

#[derive(Clone, Debug)]
struct Named {
    instance: String,
    since: Monotonic,
    /// How often the name passed on because nothing was told.
    passed_on: u32,
}

impl Named {
    fn is_late(&self, now: Monotonic) -> bool {
        now.since(self.since) >= TOLD_WITHIN * (1 << self.passed_on.min(DOUBLINGS))
    }
}

impl Naming {
    /// An instance answered.
    pub fn hear(&mut self, instance: &str, now: Monotonic) {
        self.heard.insert(instance.to_owned(), now);
    }

    /// Forgets all instances but these; whether that freed a name.
    pub fn keep_instances(&mut self, live: &BTreeSet<String>) -> bool {
        self.heard.retain(|instance, _| live.contains(instance));
        self.free(|named| !live.contains(&named.instance))
    }

    /// Forgets one instance; whether that freed a name.
    pub fn forget(&mut self, instance: &str) -> bool {
        self.heard.remove(instance);
        self.free(|named| named.instance == instance)
    }

    fn free(&mut self, goes: impl Fn(&Named) -> bool) -> bool {
        let before = self.named.len();
        self.named.retain(|_, named| !goes(named));
        self.named.len() < before
    }

    /// The keys that a pod is to validate. `unproven` are those of the document that it should run; `runs` tells whether it does.
    /// An instance that has not been heard gets none.
    pub fn names_for(
        &mut self,
        instance: &str,
        unproven: &BTreeMap<FirstValidation, Unproven>,
        runs: bool,
        now: Monotonic,
    ) -> Names {
        let mut names = Names::default();
        if !self.heard.contains_key(instance) {
            return names;
        }
        // A name ends when the key is proven, or the pod's document no longer holds it.
        self.named
            .retain(|key, named| named.instance != instance || unproven.contains_key(key));
        for (key, told) in unproven {
            let passed_on = match self.named.get(key) {
                Some(named) if named.instance == instance => continue,
                Some(named) if !self.is_live(&named.instance, now) => named.passed_on,
                Some(named) if *told == Unproven::Untold && named.is_late(now) => named.passed_on + 1,
                Some(_) => continue,
                None => 0,
            };
            if runs {
                names.taken |= self
                    .named
                    .get(key)
                    .is_some_and(|named| self.is_live(&named.instance, now));
                let named = Named {
                    instance: instance.to_owned(),
                    since: now,
                    passed_on,
                };
                self.named.insert(key.clone(), named);
            }
        }
        let own = self.named.iter().filter(|(_, named)| named.instance == instance);
        names.keys = own.map(|(key, _)| key.clone()).collect();
        names
    }

    fn is_live(&self, instance: &str, now: Monotonic) -> bool {
        self.heard
            .get(instance)
            .is_some_and(|heard| now.since(*heard) < SILENT_AFTER)
    }
}

#[cfg(test)]
mod tests;
